"""A step takes the gradient of the mean over the global batch, or leaves everything as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.training.data import replica_batches, step_seed
from simtool.training.devices import ALONE, Devices, open_devices
from simtool.training.optimizer import Optimizer
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings
from simtool.training.step import Step, StepInputs, StepResult
from simtool.training.task import Task
from tests.training.tiny import Classifier, TinyData, weights

SGD = Settings(optimizer="sgd", momentum=0, batch_size=8)


@pytest.fixture(scope="module")
def devices() -> Devices:
    return open_devices()


def take(
    devices: Devices,
    task: Task,
    batch: dict[str, Any],
    settings: Settings = SGD,
    inputs: StepInputs = StepInputs(rate=1.0),  # noqa: B008 - frozen
    fill: bool = False,
) -> StepResult:
    step = Step(task, Optimizer(task, settings, devices), devices, settings)
    share = replica_batches(batch, devices, settings.batch_size, fill)
    return step.finish(step.start(share, step_seed(0, "training", 0), inputs))


def first_batch(rows: int = 8) -> dict[str, Any]:
    return {name: array[:rows] for name, array in next(TinyData().batches(0, 0, ALONE)).items()}


@pytest.mark.parametrize("rows", [8, 5])
def test_the_update_is_the_gradient_of_the_mean_loss(devices: Devices, rows: int) -> None:
    import keras
    import tensorflow as tf

    task, batch = Classifier(normalize=False, noise=0), first_batch(rows)
    before = weights(task)
    with tf.GradientTape() as tape:
        logits = task.network(batch["image"], training=True)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(batch["label"], logits, from_logits=True))
    gradients = tape.gradient(loss, [variable.value for variable in task.variables])
    result = take(devices, task, batch)
    assert (result.rows, result.finite) == (rows, True)
    assert result.sums["loss"] / rows == pytest.approx(float(loss), rel=1e-6)
    assert result.norm == pytest.approx(float(tf.linalg.global_norm(gradients)), rel=1e-5)
    for old, new, gradient in zip(before, weights(task), gradients, strict=True):
        assert new == pytest.approx(old - gradient.numpy(), rel=1e-5, abs=1e-7)


def test_padding_does_not_count(devices: Devices) -> None:
    results = []
    for fill in (False, True):
        task = Classifier(normalize=False, noise=0.1)
        result = take(devices, task, first_batch(5), fill=fill)
        results.append((result, weights(task)))
    (plain, expected), (filled, found) = results
    assert filled.rows == plain.rows == 5
    assert filled.sums == pytest.approx(plain.sums)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_step_that_is_not_finite_leaves_everything_as_it_was(devices: Devices, bad: float) -> None:
    task, batch = Classifier(), first_batch()
    batch["image"] = np.where(np.arange(8)[:, None, None, None] == 3, np.float32(bad), batch["image"])
    settings = SGD.changed(ema=0.9, optimizer="adam")
    optimizer = Optimizer(task, settings, devices)
    optimizer.begin()
    step = Step(task, optimizer, devices, settings)
    before = [*weights(task), *(variable.value.numpy() for variable in optimizer.variables)]
    result = step.finish(
        step.start(replica_batches(batch, devices, 8, False), step_seed(0, "training", 0), StepInputs(1.0))
    )
    assert not result.finite
    after = [*weights(task), *(variable.value.numpy() for variable in optimizer.variables)]
    assert [one.tobytes() for one in after] == [one.tobytes() for one in before]


def test_the_moments_of_batch_normalization_are_updated(devices: Devices) -> None:
    task = Classifier()
    take(devices, task, first_batch())
    assert np.abs(weights(task)[-2]).min() > 0


def test_a_scaled_loss_gives_the_same_update(devices: Devices) -> None:
    results = []
    for scale in (1.0, 1024.0):
        task = Classifier(noise=0)
        results.append((take(devices, task, first_batch(), inputs=StepInputs(1.0, scale)), weights(task)))
    (plain, expected), (scaled, found) = results
    assert scaled.norm == pytest.approx(plain.norm, rel=1e-5)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_wishes_of_the_host_come_back(devices: Devices) -> None:
    assert take(devices, Classifier(), first_batch(), inputs=StepInputs(1.0, stop=True)).stop
    result = take(devices, Classifier(), first_batch(), inputs=StepInputs(1.0, time_up=True))
    assert (result.stop, result.time_up) == (False, True)


def test_a_variable_without_influence_is_named(devices: Devices) -> None:
    import keras

    task = Classifier()
    task.variables = [*task.variables, keras.Variable(1.0, name="idle")]
    with pytest.raises(TrainingError, match="the loss does not depend on idle"):
        take(devices, task, first_batch())


def test_a_loss_that_is_averaged_already_is_refused(devices: Devices) -> None:
    class Averaged(Classifier):
        def loss(self, *arguments: Any) -> Any:
            loss, metrics = super().loss(*arguments)
            return loss[0], metrics

    with pytest.raises(TrainingError, match="loss should have one value per example"):
        take(devices, Averaged(), first_batch())

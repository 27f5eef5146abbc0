"""A step takes the gradient of the mean over the global batch, or leaves everything as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from simtool.training.data import replica_batches, step_seed
from simtool.training.devices import ALONE, Devices, open_devices
from simtool.training.optimizer import Optimizer
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings
from simtool.training.step import Step, StepInputs, StepResult
from simtool.training.task import Task, check_xla
from tests.training.tiny import Classifier, Coupling, TinyData, weights

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
    return steps(devices, task, [batch], settings, inputs, fill)[0]


def steps(
    devices: Devices,
    task: Task,
    batches: Sequence[dict[str, Any]],
    settings: Settings,
    inputs: StepInputs,
    fill: bool = False,
) -> list[StepResult]:
    step = Step(task, Optimizer(task, settings, devices), devices, settings)
    found = []
    for number, batch in enumerate(batches):
        parts = replica_batches(batch, devices, settings.batch_size, fill, settings.accumulate)
        found.append(step.finish(step.start(parts, step_seed(0, "training", number), inputs)))
    return found


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


@pytest.mark.parametrize("parts", [2, 4, 8])
@pytest.mark.parametrize("clip", [{"clip_norm": 0.5}, {"clip_value": 0.01}])
def test_a_batch_in_parts_gives_the_update_of_the_whole_batch(
    devices: Devices, parts: int, clip: dict[str, float]
) -> None:
    settings = SGD.changed(learning_rate=0.1, **clip)
    batches = [first_batch(), first_batch(5), first_batch()]
    found = []
    for accumulate in (1, parts):
        task = Coupling()
        of_steps = steps(devices, task, batches, settings.changed(accumulate=accumulate), StepInputs(0.1))
        found.append((of_steps, weights(task)))
    (whole, expected), (divided, together) = found
    assert [result.rows for result in divided] == [8, 5, 8]
    for of_whole, of_parts in zip(whole, divided, strict=True):
        assert of_parts.sums == pytest.approx(of_whole.sums, rel=1e-5)
        assert of_parts.norm == pytest.approx(of_whole.norm, rel=1e-5)
    for one, other in zip(expected, together, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)


def test_batch_normalization_uses_the_statistics_of_each_part(devices: Devices) -> None:
    import keras
    import tensorflow as tf

    reference, batch = Classifier(noise=0), first_batch()
    before = weights(reference)
    variables = [variable.value for variable in reference.variables]
    gradients = []
    for rows in (slice(0, 4), slice(4, 8)):  # the moments of the layer move once in each part
        with tf.GradientTape() as tape:
            logits = reference.network(batch["image"][rows], training=True)
            losses = keras.losses.sparse_categorical_crossentropy(batch["label"][rows], logits, from_logits=True)
            loss = keras.ops.mean(losses)
        gradients.append(tape.gradient(loss, variables))
    task = Classifier(noise=0)
    take(devices, task, batch, SGD.changed(accumulate=2))
    after, count = weights(task), len(variables)
    for old, new, first, second in zip(before[:count], after[:count], *gradients, strict=True):
        np.testing.assert_allclose(new, old - (first.numpy() + second.numpy()) / 2, atol=1e-6)
    for moment, expected in zip(after[count:], weights(reference)[count:], strict=True):
        np.testing.assert_allclose(moment, expected, atol=1e-6)
    whole = Classifier(noise=0)
    take(devices, whole, batch)
    assert np.abs(weights(whole)[0] - after[0]).max() > 1e-4


def test_a_part_that_is_not_finite_leaves_no_trace(devices: Devices) -> None:
    batch, settings = first_batch(), SGD.changed(accumulate=4)
    bad = {**batch, "image": np.where(np.arange(8)[:, None, None, None] == 2, np.float32(np.inf), batch["image"])}
    task, other = Classifier(noise=0), Classifier(noise=0)
    results = steps(devices, task, [bad, batch], settings, StepInputs(1.0))
    assert [result.finite for result in results] == [False, True]
    steps(devices, other, [batch], settings, StepInputs(1.0))
    assert [array.tobytes() for array in weights(task)] == [array.tobytes() for array in weights(other)]


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


def test_xla_gives_the_same_update_except_for_rounding(devices: Devices) -> None:
    for make in (Classifier, Coupling):
        found = []
        for xla in (False, True):
            task = make()
            result = take(devices, task, first_batch(), SGD.changed(xla=xla, accumulate=2), StepInputs(0.1))
            found.append((result.sums["loss"], weights(task)))
        (loss, expected), (compiled, together) = found
        assert compiled == pytest.approx(loss, rel=1e-5)
        for one, other in zip(expected, together, strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-5)


def test_xla_is_refused_where_it_would_change_more_than_rounding(devices: Devices) -> None:
    two = Devices(devices.strategy, replicas=2)
    check_xla(Classifier(), devices)
    check_xla(Coupling(), two)
    with pytest.raises(TrainingError, match=r"cannot compile batch normalization over 2 devices; .* --no-xla"):
        check_xla(Classifier(), two)
    dropping = Coupling()
    dropping.random_loss = True
    with pytest.raises(TrainingError, match=r"other random numbers for dropout; .* --no-xla"):
        check_xla(dropping, devices)

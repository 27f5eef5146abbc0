"""Training a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.network import build
from simtool.models.classifier.task import Classification
from simtool.tensorflow import load_tensorflow
from simtool.training.data import Draws
from simtool.training.history import CRITERIA

BATCH = {
    "image": np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8),
    "label": np.array([0, 1, 2, 0], np.int32),
}


def draws(seed: int) -> Draws:
    tf = load_tensorflow()
    return Draws(tf.constant([seed, 1]), 4, tf.range(4))


def task(**values: Any) -> Classification:
    config = ClassifierConfig("ResNet20", size=8, augmentation="none", **values)
    return Classification(build(config, 3), config)


def measured(task: Classification, given: Draws) -> tuple[Any, dict[str, Any]]:
    return task.loss(task.prepared(BATCH, given), given)


def test_the_loss_is_the_cross_entropy_of_smoothed_labels() -> None:
    trained = task(label_smoothing=0.3)
    logits = trained.network(BATCH["image"] / np.float32(127.5) - 1, training=True).numpy()
    target = np.eye(3)[BATCH["label"]] * 0.7 + 0.1
    expected = -(target * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1)
    loss, metrics = measured(trained, draws(0))
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_array_equal(metrics["top_1"], logits.argmax(axis=1) == BATCH["label"])


def test_an_evaluation_changes_nothing_and_a_step_moves_the_running_moments() -> None:
    trained = task()
    before = [variable.numpy() for variable in trained.state]
    found = trained.evaluate(BATCH, draws(0))
    assert {name: value.shape for name, value in found.items()} == dict.fromkeys(found, (4,))
    assert {"cross_entropy", "top_1", "top_5"} == found.keys()
    assert all(np.array_equal(one, two.numpy()) for one, two in zip(before, trained.state, strict=True))
    measured(trained, draws(0))
    assert not any(np.array_equal(one, two.numpy()) for one, two in zip(before, trained.state, strict=True))


@pytest.mark.slow
def test_dropout_depends_on_the_draws_alone() -> None:
    load_tensorflow()
    import keras

    config = ClassifierConfig("ResNet20", size=8, augmentation="none")
    plain = build(config, 3)
    dropped = keras.layers.Dropout(0.5)(plain.get_layer("avg_pool").output)
    network = keras.Model(plain.input, plain.get_layer("predictions")(dropped))
    trained = Classification(network, config)
    assert all("float" in str(variable.dtype) for variable in trained.state)
    first, again, other = (measured(trained, draws(seed))[0].numpy() for seed in (1, 1, 2))
    np.testing.assert_allclose(first, again, rtol=1e-6)
    assert not np.allclose(first, other)
    tf = load_tensorflow()
    part = measured(trained, Draws(tf.constant([1, 1]), 8, tf.range(4, 8)))[0].numpy()
    assert not np.allclose(first, part)  # the next four rows of the same step
    assert trained.state[0].numpy().any()


def test_readers_of_logs_know_which_epoch_is_kept() -> None:
    assert CRITERIA[f"val_{Classification.criterion.metric}"] is (Classification.criterion.better == "high")

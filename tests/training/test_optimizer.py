"""The updates equal those of Keras; multipliers, clipping and the moving average follow their definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.training.devices import Devices, open_devices
from simtool.training.optimizer import Optimizer, clipped, layer_precision
from simtool.training.outcome import TrainingError
from simtool.training.settings import Precision, Settings
from simtool.training.task import Task

GRADIENTS = [np.random.default_rng(step).normal(size=(2, 3)).astype(np.float32) for step in range(5)]


class Matrices(Task):
    """A task with matrices and a vector, without a loss."""

    def __init__(self, **values: Any) -> None:
        import keras

        self.variables = [
            keras.Variable(np.ones((2, 3)), dtype="float32"),
            keras.Variable(np.ones(3), dtype="float32"),
        ]
        for name, value in values.items():
            setattr(self, name, value)

    def loss(self, batch: Any, draws: Any) -> Any:
        raise AssertionError(batch, draws)

    def evaluate(self, batch: Any, draws: Any) -> Any:
        raise AssertionError(batch, draws)


@pytest.fixture(scope="module")
def devices() -> Devices:
    return open_devices()


def run(devices: Devices, task: Matrices, settings: Settings, steps: int = 5) -> list[NDArray[np.float32]]:
    optimizer = Optimizer(task, settings, devices)
    optimizer.begin()
    for gradient in GRADIENTS[:steps]:
        optimizer.apply([gradient, gradient[0]], 1.0, np.float32(settings.learning_rate), np.float32(settings.ema))
    return [variable.value.numpy() for variable in [*task.variables, *optimizer.variables[-2:]]]


@pytest.mark.parametrize(
    ("settings", "theirs"),
    [
        (Settings(optimizer="adam", learning_rate=0.1), ("Adam", {})),
        (Settings(optimizer="adamw", learning_rate=0.1, weight_decay=0.3), ("AdamW", {"weight_decay": 0.3})),
        (
            Settings(optimizer="sgd", learning_rate=0.1, momentum=0.8, nesterov=True, weight_decay=0.3),
            ("SGD", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.3}),
        ),
        (Settings(optimizer="sgd", learning_rate=0.1, momentum=0), ("SGD", {})),
    ],
    ids=["adam", "adamw", "sgd", "plain"],
)
def test_the_updates_equal_those_of_keras(
    devices: Devices, settings: Settings, theirs: tuple[str, dict[str, Any]]
) -> None:
    import keras

    expected = [variable.value for variable in Matrices().variables]
    matrix, vector = (keras.Variable(value) for value in expected)
    optimizer = getattr(keras.optimizers, theirs[0])(0.1, **theirs[1])
    optimizer.build([matrix, vector])
    optimizer.exclude_from_weight_decay(var_list=[vector])
    for gradient in GRADIENTS:
        optimizer.apply([gradient, gradient[0]])
    found = run(devices, Matrices(), settings)
    assert found[0] == pytest.approx(matrix.numpy(), rel=1e-5)
    assert found[1] == pytest.approx(vector.numpy(), rel=1e-5)


def test_a_multiplier_scales_the_learning_rate_of_its_variable(devices: Devices) -> None:
    sgd = Settings(optimizer="sgd", learning_rate=0.1, momentum=0)
    plain = run(devices, Matrices(), sgd, steps=1)
    scaled = run(devices, Matrices(multipliers=[0.5, 0.0]), sgd, steps=1)
    assert scaled[0] - 1 == pytest.approx(0.5 * (plain[0] - 1), rel=1e-5)
    assert scaled[1].tolist() == [1, 1, 1]


def test_only_matrices_decay_unless_the_task_says_otherwise(devices: Devices) -> None:
    settings = Settings(optimizer="sgd", learning_rate=0.1, momentum=0, weight_decay=1.0)
    gradient_free = [GRADIENTS[0] * 0, GRADIENTS[0][0] * 0]
    found = []
    for decayed in (None, [False, True]):
        task = Matrices(decayed=decayed)
        Optimizer(task, settings, devices).apply(gradient_free, 1.0, np.float32(0.1), np.float32(0))
        found.append([float(np.max(variable.value)) for variable in task.variables])
    assert found == [pytest.approx([0.9, 1.0]), pytest.approx([1.0, 0.9])]


def test_as_many_multipliers_as_variables_are_needed(devices: Devices) -> None:
    with pytest.raises(TrainingError, match="2 variables and 1 multipliers"):
        Optimizer(Matrices(multipliers=[1.0]), Settings(), devices)


def test_the_running_mean_follows_the_weights(devices: Devices) -> None:
    settings = Settings(optimizer="sgd", learning_rate=0.1, momentum=0, ema=0.75)
    weight = mean = np.ones((2, 3))
    for gradient in GRADIENTS:
        weight = weight - 0.1 * gradient
        mean = 0.75 * mean + 0.25 * weight
    assert run(devices, Matrices(), settings)[2] == pytest.approx(mean, rel=1e-5)


def test_within_the_average_the_weights_are_the_mean_and_afterwards_exactly_themselves(devices: Devices) -> None:
    task = Matrices()
    optimizer = Optimizer(task, Settings(ema=0.9), devices)
    optimizer.begin()
    optimizer.apply([GRADIENTS[0], GRADIENTS[0][0]], 1.0, np.float32(0.1), np.float32(0.9))
    before, mean = task.variables[0].value.numpy(), optimizer.variables[-2].value.numpy()
    with pytest.raises(KeyError), optimizer.averaged():
        assert np.array_equal(task.variables[0].value, mean)
        raise KeyError
    assert np.array_equal(task.variables[0].value, before)
    assert np.array_equal(optimizer.variables[-2].value, mean)
    optimizer.average()
    assert np.array_equal(task.variables[0].value, mean)


def norm(arrays: Sequence[Any]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(array)) for array in arrays)))


def both(gradients: Sequence[Any], factor: float, value: float, most: float) -> list[Any]:
    found, left = clipped(gradients, np.float32(factor), factor * norm(gradients), value, most)
    return [np.asarray(gradient) * np.asarray(left) for gradient in found]


def test_gradients_are_cut_to_a_range_and_then_scaled_together() -> None:
    gradients = [np.array([1.5, -10], np.float32), np.array([[0.25]], np.float32)]
    by_value = both(gradients, 2, value=10, most=0)
    assert [by_value[0].tolist(), by_value[1].tolist()] == [[3, -10], [[0.5]]]
    by_both = both(gradients, 2, value=10, most=1)
    assert norm(by_both) == pytest.approx(1)
    assert by_both[0] == pytest.approx(by_value[0] / norm(by_value))
    assert norm(both(gradients, 2, value=0, most=1)) == pytest.approx(1)


def test_small_gradients_are_left_alone() -> None:
    gradients = [np.array([0.3, -0.4], np.float32)]
    assert both(gradients, 1, value=10, most=1)[0].tolist() == gradients[0].tolist()
    assert both(gradients, 1, value=0, most=0)[0].tolist() == gradients[0].tolist()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_layers_compute_in_the_precision_and_keep_float32_variables(precision: Precision) -> None:
    from simtool.tensorflow import load_tensorflow

    load_tensorflow()
    import keras

    before = keras.config.dtype_policy().name
    with layer_precision(precision):
        layer = keras.layers.Dense(2)
    assert keras.config.dtype_policy().name == before
    assert keras.backend.standardize_dtype(layer(keras.ops.ones((1, 3))).dtype) == precision
    assert layer.kernel.dtype == "float32"


def test_the_precision_is_put_back_after_a_failure() -> None:
    import keras

    with pytest.raises(RuntimeError), layer_precision("float16"):
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"

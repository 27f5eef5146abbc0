"""One step: actnorm, convolution, coupling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.flows.glow import actnorm, convolution, coupling, step
from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow
from tests.models.flows.glow.flows import LOG_DET_TOLERANCE, jacobian_log_det

tf = load_tensorflow()

CHANNELS = 12
KINDS = [(kind, variant) for kind in ("affine", "additive") for variant in ("glow", "study")]


def _config(kind: Any, variant: Any) -> GlowConfig:
    return GlowConfig(size=8, levels=1, steps=1, width=8, coupling=kind, variant=variant)


def _step(config: GlowConfig, dtype: str, moved: float = 0.1) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights, ``moved`` away from their initial values, and constants."""
    random = np.random.default_rng(0)
    weights, constants = step.initial(CHANNELS, config, random)
    return (
        {n: tf.constant(v + moved * random.standard_normal(v.shape), dtype) for n, v in weights.items()},
        {n: tf.constant(v, dtype) for n, v in constants.items()},
    )


def _images(dtype: str, count: int = 1, size: int = 3) -> Any:
    return tf.constant(np.random.default_rng(1).normal(size=(count, size, size, CHANNELS)), dtype)


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-5), ("float64", 1e-12)])
def test_its_inverse_undoes_it(kind: str, variant: str, dtype: str, within: float) -> None:
    config = _config(kind, variant)
    weights, constants = _step(config, dtype)
    x = _images(dtype, count=4)
    y, _ = step.forward(weights, constants, x, config)
    assert y.dtype == dtype
    prepared = step.prepare(weights, constants)[0] | {"linear/inverse": step.inverse_matrix(weights, constants)}
    assert np.abs(step.GlowStep(config).invert(prepared, y) - x).max() < within


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_log_determinant_is_the_jacobians(kind: str, variant: str, dtype: str) -> None:
    config = _config(kind, variant)
    weights, constants = _step(config, dtype)
    x = _images(dtype)
    found = float(step.forward(weights, constants, x, config)[1][0])
    expected = jacobian_log_det(lambda x: step.forward(weights, constants, x, config)[0], x.numpy())
    assert found == pytest.approx(expected, rel=LOG_DET_TOLERANCE[dtype])


def test_the_fused_map_is_actnorm_and_then_convolution() -> None:
    weights, constants = _step(_config("affine", "glow"), "float64")
    prepared, log_det = step.prepare(weights, constants)
    matrix, shift = prepared["linear/matrix"], prepared["linear/shift"]
    x = np.random.default_rng(2).normal(size=(5, CHANNELS))
    normalized = (x + weights["actnorm/bias"]) * np.exp(weights["actnorm/log_scale"])
    expected = normalized @ convolution.matrix(weights, constants).numpy()
    assert x @ matrix.numpy() + shift.numpy() == pytest.approx(expected)
    assert float(log_det) == pytest.approx(float(actnorm.log_det(weights) + convolution.log_det(weights)))
    assert float(log_det) == pytest.approx(np.linalg.slogdet(matrix)[1])


def test_the_inverse_of_the_fused_map_is_as_exact_as_its_type_can_hold() -> None:
    weights, constants = _step(_config("affine", "glow"), "float32")
    exact = step.inverse_matrix(
        *({n: tf.cast(v, tf.float64) for n, v in part.items()} for part in (weights, constants))
    )
    assert np.array_equal(step.inverse_matrix(weights, constants), tf.cast(exact, tf.float32))


def test_the_given_half_passes_the_coupling_unchanged() -> None:
    config = _config("affine", "glow")
    weights, constants = _step(config, "float32")
    x = _images("float32", count=2)
    prepared, _ = step.prepare(weights, constants)
    y, *_ = step.GlowStep(config).apply(prepared, x)
    assert np.array_equal(coupling.halves(y)[0], coupling.halves(step.mix(prepared, x))[0])
    assert not np.array_equal(coupling.halves(y)[1], coupling.halves(step.mix(prepared, x))[1])


def test_each_image_is_transformed_by_itself() -> None:
    config = _config("affine", "glow")
    weights, constants = _step(config, "float64")
    x = _images("float64", count=3)
    y, log_det = step.forward(weights, constants, x, config)
    for i in range(3):
        alone, its_log_det = step.forward(weights, constants, x[i : i + 1], config)
        assert alone[0].numpy() == pytest.approx(y[i].numpy())
        assert float(its_log_det[0]) == pytest.approx(float(log_det[i]))


def test_its_shapes_are_those_of_its_weights() -> None:
    for config in (_config("affine", "glow"), _config("additive", "study")):
        weights, _ = step.initial(CHANNELS, config, np.random.default_rng(0))
        assert {name: value.shape for name, value in weights.items()} == step.shapes(CHANNELS, config)

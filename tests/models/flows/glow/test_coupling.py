"""A coupling transforms one half of the channels, given the other half."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.flows.glow import coupling, network
from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow
from tests.models.flows.glow.flows import LOG_DET_TOLERANCE, jacobian_log_det

tf = load_tensorflow()

KINDS = [(kind, variant) for kind in ("affine", "additive") for variant in ("glow", "study")]


def _config(kind: Any, variant: Any) -> GlowConfig:
    return GlowConfig(size=8, levels=1, steps=1, width=8, coupling=kind, variant=variant)


def _halves(config: GlowConfig, dtype: str, count: int = 1) -> tuple[Any, Any]:
    """The half of the channels of an image that is transformed, and h of the right shape."""
    random = np.random.default_rng(0)
    outputs = coupling.outputs(8, config)[1]
    x_b, h = (random.normal(size=(count, 3, 3, channels)) for channels in (4, outputs))
    return tf.constant(x_b, dtype), tf.constant(h, dtype)


@pytest.mark.parametrize("channels", [4, 6])
def test_the_halves_are_the_channels_in_their_order(channels: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 3, channels))
    assert np.array_equal(np.concatenate(coupling.halves(x), axis=-1), x)


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize(("dtype", "within"), [("float32", 2e-6), ("float64", 1e-13)])
def test_its_inverse_undoes_it(kind: str, variant: str, dtype: str, within: float) -> None:
    config = _config(kind, variant)
    x_b, h = _halves(config, dtype, count=8)
    y_b, _ = coupling.transform(h, x_b, config)
    assert np.abs(y_b - x_b).max() > 1
    assert np.abs(coupling.invert(h, y_b, config) - x_b).max() < within


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_log_determinant_is_the_jacobians(kind: str, variant: str, dtype: str) -> None:
    config = _config(kind, variant)
    x_b, h = _halves(config, dtype)
    found = float(coupling.transform(h, x_b, config)[1][0])
    expected = jacobian_log_det(lambda x: coupling.transform(h, x, config)[0], x_b.numpy())
    assert found == pytest.approx(expected, rel=LOG_DET_TOLERANCE[dtype], abs=1e-12)
    assert (found == 0) == (kind == "additive")


@pytest.mark.parametrize(("variant", "floor"), [("glow", 0.1), ("study", 0)])
def test_untrained_an_affine_one_scales_by_sigmoid_2(variant: str, floor: float) -> None:
    config = _config("affine", variant)
    x_b, h = _halves(config, "float64")
    y_b, _ = coupling.transform(tf.zeros_like(h), x_b, config)
    assert y_b.numpy() == pytest.approx(x_b.numpy() * (floor + (1 - floor) / (1 + np.exp(-2))), rel=1e-6)


@pytest.mark.parametrize("h_s", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_no_network_can_make_the_scale_of_the_variant_glow_uninvertible(h_s: float) -> None:
    config = _config("affine", "glow")
    x_b, h = _halves(config, "float32")
    h = tf.concat([tf.fill(x_b.shape, np.float32(h_s)), h[..., 4:]], axis=-1)
    with tf.GradientTape() as tape:
        tape.watch(h)
        y_b, log_det = coupling.transform(h, x_b, config)
    assert np.isfinite(tape.gradient([y_b, log_det], h)).all()
    assert np.log(0.01) * 36 * 1.001 <= float(log_det[0]) <= 1e-4
    assert np.abs(coupling.invert(h, y_b, config) - x_b).max() < 1e-4


def test_the_network_gives_as_many_channels_as_the_coupling_takes() -> None:
    config = _config("affine", "glow")
    random = np.random.default_rng(0)
    weights = {
        name: tf.constant(random.normal(scale=0.3, size=shape), tf.float32)
        for name, shape in network.shapes(*coupling.outputs(8, config), config).items()
    }
    x_a, x_b = coupling.halves(tf.constant(random.normal(size=(2, 3, 3, 8)), tf.float32))
    h = network.output(network.prepare(weights), network.hidden(weights, x_a, config))
    assert h.shape == (2, 3, 3, 8)
    assert coupling.transform(h, x_b, config)[0].shape == x_b.shape

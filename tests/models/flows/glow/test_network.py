"""The network inside a coupling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simtool.models.flows.glow import network
from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

CONFIG = GlowConfig(size=8, levels=1, steps=1, width=16)


def _weights(config: GlowConfig, dtype: str = "float32", moved: float = 0.3) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        name: tf.constant(value + moved * random.standard_normal(value.shape), dtype)
        for name, value in network.initial(6, 10, config, random).items()
    }


def _input(dtype: str = "float32", size: int = 4) -> Any:
    return tf.constant(np.random.default_rng(1).normal(size=(2, size, size, 6)), dtype)


def apply(prepared: dict[str, Any], x: Any, config: GlowConfig) -> Any:
    return network.output(prepared, network.hidden(prepared, x, config))


@pytest.mark.parametrize("variant", ["glow", "study"])
def test_untrained_it_gives_zeros_whatever_it_sees(variant: Any) -> None:
    config = replace(CONFIG, variant=variant)
    output = apply(network.prepare(_weights(config, moved=0)), _input(), config)
    assert np.array_equal(output, np.zeros((2, 4, 4, 10)))


def test_its_hidden_activations_start_at_the_scale_of_its_input() -> None:
    config = replace(CONFIG, width=256)
    hidden = network.hidden(_weights(config, moved=0), _input(size=8), config).numpy()
    # Rectified, so that half of the values of variance 2 remain (He et al., 2015); the zeros outside take some.
    assert np.square(hidden).mean() == pytest.approx(1, abs=0.25)


def test_its_shapes_are_those_of_its_weights() -> None:
    for config in (CONFIG, replace(CONFIG, variant="study")):
        weights = network.initial(6, 10, config, np.random.default_rng(0))
        assert {name: value.shape for name, value in weights.items()} == network.shapes(6, 10, config)


def test_it_is_three_convolutions() -> None:
    weights = _weights(CONFIG, "float64")
    x = _input("float64")

    def convolved(x: Any, name: str) -> Any:
        kernel = weights[f"coupling/{name}/kernel"]
        kernel = kernel[None, None] if name == "middle" else kernel
        return tf.nn.conv2d(x, kernel, 1, "SAME") + weights[f"coupling/{name}/bias"]

    expected = convolved(tf.nn.relu(convolved(tf.nn.relu(convolved(x, "first")), "middle")), "last")
    expected *= tf.exp(3 * weights["coupling/last/log_gain"])
    assert apply(network.prepare(weights), x, CONFIG).numpy() == pytest.approx(expected.numpy(), rel=1e-9)


def test_a_pixel_sees_two_pixels_around_it_and_no_further() -> None:
    weights = network.prepare(_weights(CONFIG))
    x = _input(size=8).numpy()
    changed = x.copy()
    changed[:, 0, 0] += 1
    difference = np.abs(apply(weights, changed, CONFIG) - apply(weights, x, CONFIG)).max(axis=(0, 3))
    assert (difference[:3, :3] > 0).all()
    assert (difference[3:] == 0).all()
    assert (difference[:, 3:] == 0).all()


@pytest.mark.parametrize(("dtype", "within"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_inside_it_may_be_coarse_and_gives_float32(dtype: Any, within: float) -> None:
    config = replace(CONFIG, compute_dtype=dtype)
    weights, x = network.prepare(_weights(CONFIG)), _input()
    assert network.hidden(weights, x, config).dtype == dtype
    exact, coarse = apply(weights, x, CONFIG), apply(weights, x, config)
    assert coarse.dtype == "float32"
    assert not np.array_equal(coarse, exact)
    assert np.abs(coarse - exact).max() < within * np.abs(exact).max()


def test_float64_is_never_lowered() -> None:
    config = replace(CONFIG, compute_dtype="bfloat16")
    weights, x = network.prepare(_weights(CONFIG, "float64")), _input("float64")
    assert np.array_equal(apply(weights, x, config), apply(weights, x, CONFIG))


def test_stacked_weights_are_prepared_as_each_alone() -> None:
    alone = [_weights(CONFIG, moved=moved) for moved in (0.1, 0.2)]
    stacked = network.prepare({name: tf.stack([one[name] for one in alone]) for name in alone[0]})
    for k, one in enumerate(alone):
        prepared = network.prepare(one)
        assert prepared.keys() == stacked.keys() == one.keys() - {"coupling/last/log_gain"}
        for name, value in prepared.items():
            np.testing.assert_allclose(stacked[name][k], value, rtol=1e-6)

"""Actnorm is initialised from a first batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from simtool.models.errors import ModelError
from simtool.models.flows.glow import actnorm, coupling, step
from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow
from tests.models.flows.glow.flows import images, one_step, perturb

tf = load_tensorflow()

from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402 - Keras after TensorFlow
from simtool.models.flows.glow.squeeze import squeeze  # noqa: E402

CONFIG = GlowConfig(size=8, levels=2, steps=3, width=8)


def _flow(config: GlowConfig = CONFIG) -> GlowFlow:
    return perturb(GlowFlow(config))


def _normalized(flow: GlowFlow, x: Any) -> Iterator[Any]:
    """The outputs of each actnorm of a flow."""
    x = tf.constant(x, tf.float32)
    for number in range(1, flow.config.levels + 1):
        x = squeeze(x)
        for k in range(flow.config.steps):
            weights, constants = one_step(flow, number, k)
            yield (x + weights["actnorm/bias"]) * tf.exp(weights["actnorm/log_scale"])
            x, _ = step.forward(weights, constants, x, flow.config)
        x, _ = coupling.halves(x)


@pytest.mark.parametrize("variant", ["glow", "study"])
@pytest.mark.parametrize("kind", ["affine", "additive"])
def test_every_channel_behind_every_actnorm_has_mean_0_and_variance_1(variant: Any, kind: Any) -> None:
    flow = _flow(GlowConfig(size=8, levels=2, steps=3, width=8, variant=variant, coupling=kind))
    x = images(CONFIG, 32) + 0.2
    before = list(_normalized(flow, x))
    flow.initialize([x])
    behind = list(_normalized(flow, x))
    assert len(behind) == 6
    for values, old in zip(behind, before, strict=True):
        mean, variance = np.mean(values, axis=(0, 1, 2)), np.var(values, axis=(0, 1, 2))
        assert np.abs(mean).max() < 1e-5
        assert np.abs(variance - 1).max() < 1e-4
        assert np.abs(np.var(old, axis=(0, 1, 2)) - 1).max() > 0.1


@pytest.mark.parametrize("cuts", [[16], [1, 2, 30]])
def test_pieces_give_the_same_as_the_whole_batch(cuts: list[int]) -> None:
    x = images(CONFIG, 32)
    whole, piecewise = _flow(), _flow()
    whole.initialize([x])
    piecewise.initialize(np.split(x, cuts))
    for name, variable in whole.variables.items():
        assert piecewise.variables[name].numpy() == pytest.approx(variable.numpy(), abs=1e-5), name


def test_nothing_but_actnorm_changes() -> None:
    flow = _flow()
    before = {name: variable.numpy() for name, variable in (flow.variables | flow.constants).items()}
    flow.initialize([images(CONFIG, 8)])
    changed = {n for n, v in (flow.variables | flow.constants).items() if not np.array_equal(v.numpy(), before[n])}
    assert changed == {n for n in flow.variables if "/actnorm/" in n}


def test_a_second_batch_replaces_the_first() -> None:
    once, twice = _flow(), _flow()
    twice.initialize([images(CONFIG, 8, seed=1) * 3 + 1])
    for flow in (once, twice):
        flow.initialize([images(CONFIG, 8)])
    for name, variable in once.variables.items():
        assert np.array_equal(variable.numpy(), twice.variables[name].numpy()), name


def test_the_deviation_has_a_floor() -> None:
    flow = GlowFlow(CONFIG)
    x = np.zeros((4, *CONFIG.shape))
    flow.initialize([x])
    for name, variable in flow.variables.items():
        if name.endswith("actnorm/log_scale"):
            assert variable.numpy() == pytest.approx(-np.log(actnorm.SMALLEST_DEVIATION)), name
    assert all(np.isfinite(z).all() for z in flow.encode(images(CONFIG, 2)).latents)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_numbers_are_refused(value: float) -> None:
    x = images(CONFIG, 4)
    x[1, 2, 3, 0] = value
    with pytest.raises(ModelError, match="not finite"):
        GlowFlow(CONFIG).initialize([x])


@pytest.mark.slow
def test_images_that_were_not_in_the_batch_come_out_of_a_deep_flow_as_those_that_were() -> None:
    config = GlowConfig(size=4, levels=2, steps=48, width=4)
    flow = GlowFlow(config)
    flow.initialize([images(config, config.least_initial_images)])
    new = flow.encode(images(config, 64, seed=1)).latents[-1]
    assert 0.8 < np.std(new) < 1.6

"""A level: many steps as one loop, and three modes of backpropagation that agree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from simtool.models.errors import ModelError
from simtool.models.flows.backend import depth
from simtool.models.flows.backend.tensorflow import parts
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.glow import level, step
from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

CHANNELS = 12
VARIANTS = [("glow", "affine"), ("glow", "additive"), ("study", "affine"), ("study", "additive")]


def config_of(variant: Any = "glow", coupling: Any = "affine", steps: int = 4) -> GlowConfig:
    return GlowConfig(8, levels=1, steps=steps, width=16, variant=variant, coupling=coupling)


def stacked(config: GlowConfig, dtype: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights as after some training: no weight is zero, and no step is the identity."""
    generator = np.random.default_rng(0)
    steps = [step.initial(CHANNELS, config, generator) for _ in range(config.steps)]
    weights, constants = (
        {name: np.stack([pair[side][name] for pair in steps]) for name in steps[0][side]} for side in (0, 1)
    )
    for name, value in weights.items():
        value += (0.02 if "kernel" in name else 0.05) * generator.standard_normal(value.shape)
    tensors = [{n: tf.constant(v, dtype) for n, v in values.items()} for values in (weights, constants)]
    return tensors[0], tensors[1]


def images(dtype: str) -> Any:
    return tf.constant(np.random.default_rng(1).standard_normal((3, 4, 4, CHANNELS)), dtype)


@cache
def differentiated(config: GlowConfig, dtype: str, mode: Mode) -> dict[str, Any]:
    """The gradients of a function of output and log-determinant, by the input and each weight."""
    weights, constants = stacked(config, dtype)
    x = images(dtype)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def gradients(x: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((x, weights))
            y, log_det = level.forward(weights, constants, x, config, mode)
            target = tf.reduce_sum(tf.sin(y) + y**2 / 2) - tf.reduce_sum(log_det * tf.constant([1, 2, 3], dtype))
        return tape.gradient(target, {"x": x, **weights})

    return {name: gradient.numpy() for name, gradient in gradients(x, weights).items()}


def largest_difference(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """The largest, relative to the largest entry of the same gradient."""
    return max(float(np.abs(found[n] - expected[n]).max() / np.abs(expected[n]).max()) for n in expected)


@pytest.mark.parametrize(("variant", "coupling"), VARIANTS)
def test_a_level_is_its_steps_one_after_the_other(variant: str, coupling: str) -> None:
    config = config_of(variant, coupling)
    weights, constants = stacked(config, "float64")
    x, total = images("float64"), 0.0
    y, log_det = level.forward(weights, constants, x, config)
    for k in range(config.steps):
        x, change = step.forward(
            {n: w[k] for n, w in weights.items()}, {n: c[k] for n, c in constants.items()}, x, config
        )
        total = total + change
    np.testing.assert_allclose(y, x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(log_det, total, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "most"), [("float32", 2e-5), ("float64", 1e-13)])
@pytest.mark.parametrize(("variant", "coupling"), VARIANTS)
def test_the_inverse_undoes_all_steps(variant: str, coupling: str, dtype: str, most: float) -> None:
    config = config_of(variant, coupling)
    weights, constants = stacked(config, dtype)
    x = images(dtype)
    y, _ = level.forward(weights, constants, x, config)
    back = level.inverse(weights, constants, y, config)
    assert np.abs(y - x).max() > 0.5
    assert np.abs(back - x).max() < most


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_output(mode: Mode) -> None:
    config = config_of()
    weights, constants = stacked(config, "float32")
    plain = level.forward(weights, constants, images("float32"), config, "plain")
    for found, expected in zip(level.forward(weights, constants, images("float32"), config, mode), plain, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize(("variant", "coupling"), VARIANTS)
def test_every_mode_gives_the_same_gradients(variant: str, coupling: str, mode: Mode) -> None:
    config = config_of(variant, coupling)
    plain = differentiated(config, "float64", "plain")
    assert all(np.abs(gradient).max() > 0 for gradient in plain.values())
    assert largest_difference(differentiated(config, "float64", mode), plain) < 1e-11


def test_plain_gradients_are_those_of_finite_differences() -> None:
    config = config_of(steps=3)
    weights, constants = stacked(config, "float64")
    x, generator = images("float64"), np.random.default_rng(2)
    direction = {"x": generator.standard_normal(x.shape)} | {
        name: generator.standard_normal(value.shape) for name, value in weights.items()
    }

    def target(by: float) -> float:
        moved = {name: value + by * direction[name] for name, value in weights.items()}
        y, log_det = level.forward(moved, constants, x + by * direction["x"], config)
        return float(tf.reduce_sum(tf.sin(y) + y**2 / 2) - tf.reduce_sum(log_det * tf.constant([1.0, 2, 3], "float64")))

    found = sum(np.vdot(direction[n], g) for n, g in differentiated(config, "float64", "plain").items())
    assert found == pytest.approx((target(1e-6) - target(-1e-6)) / 2e-6, rel=1e-6)


def test_steps_that_are_written_out_are_those_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of()
    written_out = differentiated(config, "float64", "plain")
    monkeypatch.setattr(depth, "_WRITTEN_OUT", config.steps - 1)
    looped = differentiated.__wrapped__(config, "float64", "plain")
    assert largest_difference(looped, written_out) < 1e-13


@pytest.mark.parametrize("most", [0, 8], ids=["looped", "written out"])
@pytest.mark.parametrize("mode", MODES)
def test_two_halves_of_a_batch_give_what_the_whole_gives(
    mode: Mode, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = differentiated(config_of(), "float64", "plain")
    monkeypatch.setattr(parts, "count_parts", lambda: 2)
    monkeypatch.setattr(depth, "_WRITTEN_OUT", most)
    halves = differentiated.__wrapped__(config_of(), "float64", mode)
    assert largest_difference(halves, whole) < 1e-11


@pytest.mark.parametrize("steps", [4, 9])
def test_two_halves_of_a_batch_are_inverted(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(steps=steps)
    weights, constants = stacked(config, "float64")
    monkeypatch.setattr(parts, "count_parts", lambda: 2)
    y, _ = level.forward(weights, constants, images("float64"), config)
    assert np.abs(level.inverse(weights, constants, y, config) - images("float64")).max() < 1e-12


def test_recomputed_gradients_are_exact_in_float32() -> None:
    plain = differentiated(config_of(), "float32", "plain")
    assert largest_difference(differentiated(config_of(), "float32", "recompute"), plain) < 1e-6


@pytest.mark.parametrize(("steps", "most"), [(4, 1e-5), (48, 1e-3)])
def test_inversion_drifts_little_in_float32(steps: int, most: float) -> None:
    config = config_of(steps=steps)
    exact = differentiated(config, "float64", "plain")
    assert largest_difference(differentiated(config, "float32", "reversible"), exact) < most


@pytest.mark.parametrize("mode", MODES)
def test_the_graph_does_not_grow_with_depth(mode: Mode) -> None:
    def nodes(steps: int) -> int:
        config = config_of(steps=steps)
        weights, constants = stacked(config, "float32")

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def gradients(x: Any, weights: Any, constants: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(weights)
                y, log_det = level.forward(weights, constants, x, config, mode)
                target = tf.reduce_sum(y**2) - tf.reduce_sum(log_det)
            return tape.gradient(target, weights)

        graph = gradients.get_concrete_function(images("float32"), weights, constants).graph.as_graph_def()
        return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)

    assert nodes(16) == nodes(48)


def test_the_batch_may_have_any_size_in_one_graph() -> None:
    config = config_of()
    weights, constants = stacked(config, "float32")
    signature = [tf.TensorSpec((None, 4, 4, CHANNELS), "float32")]

    @tf.function(autograph=False, input_signature=signature)  # type: ignore[untyped-decorator]
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, log_det = level.forward(weights, constants, x, config, "reversible")
            target = tf.reduce_sum(y**2) - tf.reduce_sum(log_det)
        return tape.gradient(target, x)

    whole = gradient(images("float32")).numpy()
    np.testing.assert_allclose(gradient(images("float32")[:1]), whole[:1], rtol=1e-5, atol=1e-5)


def test_an_unknown_mode_is_named() -> None:
    config = config_of()
    mode: Any = "magic"
    with pytest.raises(ModelError, match="mode of backpropagation magic; the modes are plain, recompute, reversible"):
        level.forward(*stacked(config, "float32"), images("float32"), config, mode)


#: Takes a training step and says how much memory it took, in units of one step's hidden activations.
PROGRAM = """
import sys
from pathlib import Path
from simtool.tensorflow import load_tensorflow
tf = load_tensorflow()
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.flow import GlowFlow
def memory(field):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])
flow = GlowFlow(GlowConfig(64, levels=2, steps=int(sys.argv[2]), width=64))
weights = {name: variable.value for name, variable in flow.variables.items()}
@tf.function(autograph=False)
def gradients(x):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(flow.encode(x, mode=sys.argv[1]).log_prob)
    return [tf.reduce_sum(gradient) for gradient in tape.gradient(loss, list(weights.values()))]
gradients(tf.zeros((1, 64, 64, 3)))  # everything is built and started by now
x, before = tf.random.stateless_normal((32, 64, 64, 3), (0, 0)), memory("VmRSS")
gradients(x)
print((memory("VmHWM") - before) / (32 * 32 * 32 * 64 * 4))
"""


@pytest.fixture(scope="module")
def peak() -> Callable[[str, int], float]:
    def measured(mode: str, steps: int) -> float:
        command = [sys.executable, "-c", PROGRAM, mode, str(steps)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    return measured


@pytest.mark.slow
@pytest.mark.system
def test_memory_does_not_grow_with_depth_when_steps_are_inverted(peak: Callable[[str, int], float]) -> None:
    assert peak("reversible", 32) < peak("reversible", 4) + 3
    assert peak("plain", 32) > peak("plain", 4) + 50


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("mode", ["recompute", "reversible"])
def test_few_steps_that_are_computed_again_need_less_memory_too(mode: str, peak: Callable[[str, int], float]) -> None:
    assert peak(mode, 8) < 0.7 * peak("plain", 8)

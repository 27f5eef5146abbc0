"""Flows with weights as after training, images, and Jacobians to compare log-determinants with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.models.flows.config import FlowConfig
from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

from simtool.models.flows.flow import Flow  # noqa: E402 - Keras after TensorFlow
from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402


def images(config: FlowConfig, count: int, seed: int = 0) -> NDArray[np.float64]:
    """(count, *config.shape): as in photographs, neighbors and colors are similar; mostly within -1/2 and 1/2."""
    random = np.random.default_rng(seed)
    found = np.zeros((count, *config.shape))
    for block in (size for size in (1, 2, 4, 8, 16) if size <= config.size):
        side = -(-config.size // block)
        coarse = random.standard_normal((count, side, side, 1)).repeat(block, 1).repeat(block, 2)
        found += coarse[:, : config.size, : config.size]
    found += 0.3 * random.standard_normal(found.shape)
    scaled: NDArray[np.float64] = found / found.std() / 4
    return scaled


def perturb(flow: GlowFlow, amount: float = 1.0, seed: int = 0) -> GlowFlow:
    """Move every weight away from its initial value. With ``amount`` 1, outputs of coupling networks are about 1/2.

    The same noise for float32 and float64.
    """
    random = np.random.default_rng(seed)
    for name, variable in flow.variables.items():
        value = variable.numpy()
        noise = random.standard_normal(value.shape)
        if name.endswith("/kernel"):
            stacked = "/prior/" not in name
            noise *= 0.5 / np.sqrt(np.prod(value.shape[stacked:-1]))
        elif name.endswith("/factors"):
            noise *= 0.3 / value.shape[-1]
        else:
            noise *= 0.1
        variable.assign((value + amount * noise).astype(value.dtype))
    return flow


def trained(
    config: GlowConfig, seed: int = 0, dtype: str = "float32", amount: float = 1.0, batch: int = 64
) -> GlowFlow:
    """A flow with all weights away from their initial values, and activations in the range of training.

    The batch should give more pixels at the deepest level than that has channels.
    """
    flow = perturb(GlowFlow(config, seed, dtype), amount, seed)
    flow.initialize([images(config, batch, seed + 1)])
    return flow


def sample(flow: Flow, count: int, temperature: float, seed: int) -> Any:
    """Images of random latents."""
    return flow.decode([temperature * scale for scale in flow.draw_latents(count, seed)])


def one_step(flow: GlowFlow, number: int, k: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights and constants of one step."""
    start = f"level-{number}/"
    weights, constants = (
        {
            name.removeprefix(start): tf.convert_to_tensor(variable)[k]
            for name, variable in variables.items()
            if name.startswith(start) and "/prior/" not in name
        }
        for variables in (flow.variables, flow.constants)
    )
    return weights, constants


def jacobian_log_det(function: Callable[[Any], Any], x: NDArray[Any]) -> float:
    """log|det| of the Jacobian of a function of images at one image, (1, h, w, c), by automatic differentiation.

    A batch of as many copies as the image has values gives one row of the Jacobian each.
    """
    copies = tf.Variable(np.repeat(x, x.size, axis=0))
    with tf.GradientTape() as tape:
        outputs = tf.linalg.trace(tf.reshape(function(copies), (x.size, x.size)))
    rows = tape.gradient(outputs, copies).numpy().reshape(x.size, x.size)
    return float(np.linalg.slogdet(rows.astype(np.float64))[1])


#: How close a log-determinant comes to the Jacobian's.
LOG_DET_TOLERANCE = {"float32": 1e-5, "float64": 1e-9}

"""One level of the flow: K steps with their weights stacked, (K, ...), as one loop whatever K.

Three ways of backpropagation give the same gradients at different costs:

``plain`` keeps every activation that the gradient needs; the fastest.
``recompute`` keeps the input of each step and evaluates the step once more (Chen et al., 2016).
``reversible`` keeps nothing but the level's output: the input of each step is recovered by inverting it (Gomez et al.,
2017), so that memory does not grow with depth. The coupling network is evaluated once per step on the way back: its
output serves the inverse and the gradient.

What needs the weights alone is done for all steps at once, outside of the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from simtool.models.errors import ModelError
from simtool.models.glow import step
from simtool.models.glow.config import MODES, FlowConfig, Mode

__all__ = ["MODES", "Mode", "forward", "inverse"]


def forward(
    weights: Mapping[str, Any], constants: Mapping[str, Any], x: Any, config: FlowConfig, mode: Mode = "plain"
) -> tuple[Any, Any]:
    """All steps of a level, towards the latents.

    Args:
        weights: of its steps, stacked (see :func:`simtool.models.glow.step.shapes`).
        constants: of their convolutions, stacked.
        x: (b, h, w, c).
        config: of the flow.
        mode: of backpropagation.

    Returns:
        y (b, h, w, c), and the log-determinant of each image (b,).

    Raises:
        ModelError: no such mode, or one that needs Keras with TensorFlow.
    """
    if mode not in MODES:
        raise ModelError(f"there is no backpropagation by {mode}; there are {', '.join(MODES)}")
    fused, log_det_of_pixel = step.prepare(weights, constants)
    if keras.backend.backend() == "tensorflow":
        from simtool.models.glow import loops

        y, log_det = loops.forward(mode, fused, lambda: step.unfuse(weights, constants), x, config)
    elif mode == "plain":
        y, log_det = _unrolled(fused, x, config)
    else:
        raise ModelError(f"backpropagation by {mode} needs Keras with TensorFlow, not {keras.backend.backend()}")
    return y, log_det + x.shape[1] * x.shape[2] * ops.sum(log_det_of_pixel)


def inverse(weights: Mapping[str, Any], constants: Mapping[str, Any], y: Any, config: FlowConfig) -> Any:
    """All steps of a level, towards the image; see :func:`forward`."""
    fused, _ = step.prepare(weights, constants)
    unmixing = step.unfuse(weights, constants)
    if keras.backend.backend() == "tensorflow":
        from simtool.models.glow import loops

        return loops.inverse(fused, unmixing, y, config)
    for k in reversed(range(len(unmixing))):
        y = step.invert({name: stacked[k] for name, stacked in fused.items()}, unmixing[k], y, config)
    return y


def _unrolled(fused: Mapping[str, Any], x: Any, config: FlowConfig) -> tuple[Any, Any]:
    total = ops.zeros_like(x[:, 0, 0, 0])
    for k in range(len(fused["linear/matrix"])):
        x, log_det = step.apply({name: stacked[k] for name, stacked in fused.items()}, x, config)
        total = total + log_det
    return x, total

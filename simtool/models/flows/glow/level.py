"""One level of the flow: K steps with their weights stacked, (K, ...), as one loop.

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
from types import ModuleType
from typing import Any

import keras
from keras import ops

from simtool.models.errors import ModelError
from simtool.models.flows.glow import step
from simtool.models.flows.glow.config import MODES, FlowConfig, Mode

__all__ = ["MODES", "Mode", "forward", "inverse"]

#: So many steps are traced in seconds without a loop, and differentiated a little faster.
_WRITTEN_OUT = 8


def forward(
    weights: Mapping[str, Any], constants: Mapping[str, Any], x: Any, config: FlowConfig, mode: Mode = "plain"
) -> tuple[Any, Any]:
    """All steps of a level, towards the latents.

    Args:
        weights: of its steps, stacked (see :func:`simtool.models.flows.glow.step.shapes`).
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
    prepared, log_det_of_pixel = step.prepare(weights, constants)
    loops = _loops()
    if mode == "plain" and (loops is None or _depth(prepared) <= _WRITTEN_OUT):
        y, log_det = _written_out(prepared, x, config)
    elif loops is not None:
        y, log_det = loops.forward(mode, prepared, x, config)
    else:
        raise ModelError(f"backpropagation by {mode} needs Keras with TensorFlow, not {keras.backend.backend()}")
    return y, log_det + x.shape[1] * x.shape[2] * ops.sum(log_det_of_pixel)


def inverse(weights: Mapping[str, Any], constants: Mapping[str, Any], y: Any, config: FlowConfig) -> Any:
    """All steps of a level, towards the image; see :func:`forward`."""
    prepared, _ = step.prepare(weights, constants)
    inverse_matrices = step.unfuse(weights, constants)
    if (loops := _loops()) is not None:
        return loops.inverse(prepared, inverse_matrices, y, config)
    for k in reversed(range(_depth(prepared))):
        y = step.invert({name: stacked[k] for name, stacked in prepared.items()}, inverse_matrices[k], y, config)
    return y


def _written_out(prepared: Mapping[str, Any], x: Any, config: FlowConfig) -> tuple[Any, Any]:
    """The output, and the log-determinant of the couplings for each image."""
    pieces = {name: ops.unstack(stacked) for name, stacked in prepared.items()}
    total = ops.zeros_like(x[:, 0, 0, 0])
    for k in range(_depth(prepared)):
        x, log_det = step.apply({name: own[k] for name, own in pieces.items()}, x, config)
        total = total + log_det
    return x, total


def _depth(prepared: Mapping[str, Any]) -> int:
    depth: int = prepared["linear/matrix"].shape[0]
    return depth


def _loops() -> ModuleType | None:
    """The loops, where Keras runs on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return None
    from simtool.models.flows.glow import loops

    return loops

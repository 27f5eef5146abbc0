"""One level of the flow: K steps with stacked weights, (K, ...), as one loop.

Three modes of backpropagation give the same gradients at different costs:

``plain`` keeps every activation that the gradient needs. It is the fastest.
``recompute`` keeps the input of each step, and computes the step a second time (Chen et al., 2016).
``reversible`` keeps only the output of the level, and recovers the input of each step by inverting the step (Gomez et
al., 2017), so that memory does not grow with depth. The backward pass evaluates each coupling network once: its output
serves the inverse and the gradient.

Computations on weights alone are done for all steps at once, outside of the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from simtool.models.errors import ModelError
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.glow import loops, step
from simtool.models.flows.glow.config import GlowConfig

__all__ = ["forward", "inverse"]

#: Up to this many steps are traced in seconds without a loop, and their gradients are a little faster.
_WRITTEN_OUT = 8


def forward(
    weights: Mapping[str, Any], constants: Mapping[str, Any], x: Any, config: GlowConfig, mode: Mode = "plain"
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
        ModelError: there is no such mode.
    """
    if mode not in MODES:
        raise ModelError(f"there is no mode of backpropagation {mode}; the modes are {', '.join(MODES)}")
    prepared, log_det_of_pixel = step.prepare(weights, constants)
    if mode == "plain" and config.steps <= _WRITTEN_OUT:
        y, log_det = _written_out(prepared, x, config)
    else:
        y, log_det = loops.forward(mode, prepared, x, config)
    return y, log_det + x.shape[1] * x.shape[2] * ops.sum(log_det_of_pixel)


def inverse(weights: Mapping[str, Any], constants: Mapping[str, Any], y: Any, config: GlowConfig) -> Any:
    """All steps of a level, towards the image; see :func:`forward`."""
    prepared, _ = step.prepare(weights, constants)
    return loops.inverse(prepared, step.unfuse(weights, constants), y, config)


def _written_out(prepared: Mapping[str, Any], x: Any, config: GlowConfig) -> tuple[Any, Any]:
    """The output, and the log-determinant of the couplings for each image."""
    pieces = {name: ops.unstack(stacked) for name, stacked in prepared.items()}
    total = ops.zeros_like(x[:, 0, 0, 0])
    for k in range(config.steps):
        x, log_det = step.apply({name: own[k] for name, own in pieces.items()}, x, config)
        total = total + log_det
    return x, total

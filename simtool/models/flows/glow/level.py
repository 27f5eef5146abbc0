"""One level of the flow: K steps with stacked weights, (K, ...), as a chain (:mod:`simtool.models.flows.chain`).

Computations on weights alone are done for all steps at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from simtool.models.flows.chain import Chain
from simtool.models.flows.config import Mode
from simtool.models.flows.glow import step
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.taps import Tap

__all__ = ["forward", "inverse", "tapped"]

Weights = Mapping[str, Any]


def forward(weights: Weights, constants: Weights, x: Any, config: GlowConfig, mode: Mode = "plain") -> tuple[Any, Any]:
    """All steps of a level, towards the latents, from x (b, h, w, c) and the stacked weights of the steps.

    Returns:
        y (b, h, w, c), and the log-determinant of each image (b,).
    """
    prepared, log_det_of_pixel = step.prepare(weights, constants)
    y, log_det = Chain(step.GlowStep(config), prepared).forward(x, mode)
    return y, log_det + x.shape[1] * x.shape[2] * ops.sum(log_det_of_pixel)


def tapped(
    weights: Weights, constants: Weights, x: Any, config: GlowConfig, taps: Sequence[Tap]
) -> tuple[Any, Any, tuple[Any, ...]]:
    """:func:`forward`, and what taps of this level take: (steps, b, ...) for each tap."""
    prepared, log_det_of_pixel = step.prepare(weights, constants)
    y, log_det, taken = Chain(step.GlowStep(config), prepared).tapped(x, taps)
    return y, log_det + x.shape[1] * x.shape[2] * ops.sum(log_det_of_pixel), taken


def inverse(weights: Weights, constants: Weights, y: Any, config: GlowConfig) -> Any:
    """All steps of a level, towards the image; see :func:`forward`."""
    prepared, _ = step.prepare(weights, constants)
    prepared = {**prepared, "linear/inverse": step.inverse_matrix(weights, constants)}
    return Chain(step.GlowStep(config), prepared).inverse(y)

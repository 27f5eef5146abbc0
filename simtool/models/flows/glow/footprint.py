"""The memory of the activations of a Glow."""

from __future__ import annotations

from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.glow.config import GlowConfig

__all__ = ["activation_bytes"]

#: Memory of the backward pass of a step, as a multiple of what the step keeps: gradients, and memory of convolutions.
_AT_WORK = 4


def activation_bytes(config: GlowConfig) -> dict[Mode, int]:
    """The most bytes per image for each mode: of kept activations, and of the backward pass of a step."""
    return {mode: _most(config, mode) for mode in MODES}


def _most(config: GlowConfig, mode: Mode) -> int:
    inside = 4 if config.compute_dtype == "float32" else 2
    kept, most = 0, 0
    for level in range(1, config.levels + 1):
        height, width, channels = config.level_shape(level)
        # A step keeps the two hidden layers of its network, and a few arrays of the size of its input.
        step = height * width * (2 * config.width * inside + 8 * channels * 4)
        boundary = height * width * channels * 4
        kept += {"plain": config.steps * step, "recompute": config.steps * boundary, "reversible": boundary}[mode]
        # The backward pass has freed the memory of deeper levels by then.
        most = max(most, kept + _AT_WORK * step)
    return most

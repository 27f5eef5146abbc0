"""The memory of the activations of a Jet."""

from __future__ import annotations

from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.jet.config import JetConfig

__all__ = ["activation_bytes"]

#: Arrays of the size of the tokens that a block keeps. These constants and the next were fitted to peaks that were
#: measured for three shapes: small, wide, and with many small patches.
_OF_BLOCK = 21
#: Arrays of the size of the scores of the attention that a block keeps: the shares.
_OF_SCORES = 1
#: Arrays of the size of the image that a step keeps.
_OF_IMAGE = 21
#: Memory of the backward pass of a step, as a multiple of what the step keeps.
_AT_WORK = 3


def activation_bytes(config: JetConfig) -> dict[Mode, int]:
    """The most bytes per image for each mode: of kept activations, and of the backward pass of a step."""
    height, width, values = config.level_shape(1)
    tokens, inside = height * width, 4 if config.compute_dtype == "float32" else 2
    block = tokens * (_OF_BLOCK * config.width + _OF_SCORES * config.heads * tokens) * inside
    boundary = tokens * values * 4
    step = config.depth * block + _OF_IMAGE * boundary
    kept: dict[Mode, int] = {"plain": config.steps * step, "recompute": config.steps * boundary, "reversible": boundary}
    return {mode: kept[mode] + _AT_WORK * step for mode in MODES}

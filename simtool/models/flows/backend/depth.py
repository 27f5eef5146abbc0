"""The number of steps of stacked weights, (K, ...)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["depth_of", "few"]

#: The largest number of steps that may be written out.
_WRITTEN_OUT = 8


def depth_of(weights: Mapping[str, Any]) -> int:
    """K, the number of steps of stacked weights."""
    depth: int = next(iter(weights.values())).shape[0]
    return depth


def few(depth: int) -> bool:
    """Whether so many steps may be written out, without a loop."""
    return depth <= _WRITTEN_OUT

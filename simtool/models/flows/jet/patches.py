"""Patches: each square of pixels becomes one place with many values (Kolesnikov et al., 2024, section 2)."""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["from_patches", "to_patches"]


def to_patches(x: Any, size: int) -> Any:
    """From images (b, size h, size w, c) to patches (b, h, w, size size c), row by row of a patch."""
    _, height, width, channels = x.shape
    rows, columns = height // size, width // size
    cut = ops.transpose(ops.reshape(x, (-1, rows, size, columns, size, channels)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(cut, (-1, rows, columns, size * size * channels))


def from_patches(y: Any, size: int) -> Any:
    """The inverse of :func:`to_patches`."""
    _, rows, columns, values = y.shape
    channels = values // size**2
    cut = ops.transpose(ops.reshape(y, (-1, rows, columns, size, size, channels)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(cut, (-1, rows * size, columns * size, channels))

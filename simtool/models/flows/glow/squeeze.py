"""Squeeze: each 2x2 patch of pixels becomes one pixel with four times the channels (Dinh et al., 2017, section 3.6).

Channel-major, as in the reference implementation and in TensorFlow Probability: channel c of the patch's pixel (i, j)
becomes channel 4 c + 2 i + j.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["squeeze", "unsqueeze"]


def squeeze(x: Any) -> Any:
    """From (b, 2h, 2w, c) to (b, h, w, 4c)."""
    _, height, width, channels = x.shape
    patches = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
    return ops.reshape(ops.transpose(patches, (0, 1, 3, 5, 2, 4)), (-1, height // 2, width // 2, 4 * channels))


def unsqueeze(y: Any) -> Any:
    """From (b, h, w, 4c) to (b, 2h, 2w, c)."""
    _, height, width, channels = y.shape
    patches = ops.reshape(y, (-1, height, width, channels // 4, 2, 2))
    return ops.reshape(ops.transpose(patches, (0, 1, 4, 2, 5, 3)), (-1, 2 * height, 2 * width, channels // 4))

"""Bilinear resizing in float32, equal to ``tf.image.resize`` bit for bit: the same sums in the same order.

Only the part of the resized image that is kept is computed. Bicubic resizing is that of Pillow, which networks from
PyTorch were trained with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Side", "bicubic", "resized"]


@dataclass(frozen=True)
class Side:
    """One side of an image, before and after a resize.

    Attributes:
        source: pixels of the image.
        target: pixels of the resized image.
        start: the first pixel of the resized image to compute.
        count: how many to compute.
    """

    source: int
    target: int
    start: int
    count: int

    @property
    def _positions(self) -> NDArray[np.float32]:
        """(count,) the centers of the computed pixels, in pixels of the resized image."""
        return np.arange(self.start, self.start + self.count).astype(np.float32) + np.float32(0.5)

    def neighbors(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """For each computed pixel the source pixels before and after its center, and the weight of the second."""
        centers = self._positions * (np.float32(self.source) / np.float32(self.target)) - np.float32(0.5)
        below = np.floor(centers)
        before = np.maximum(below, 0).astype(np.intp)
        after = np.minimum(np.ceil(centers), self.source - 1).astype(np.intp)
        return before, after, centers - below

    def spans(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """For each computed pixel its source pixels and their weights, (count, k), of a triangular filter.

        The filter is as wide as two pixels of the smaller image. Spans of fewer than k pixels end with weights of 0.
        """
        one, half = np.float32(1), np.float32(0.5)
        shrinkage = one / (np.float32(self.target) / np.float32(self.source))
        radius = np.maximum(shrinkage, one)
        centers = self._positions * shrinkage
        first = np.clip(np.ceil(centers - radius - half), 0, self.source - 1).astype(np.intp)[:, np.newaxis]
        last = np.clip(np.floor(centers + radius - half), 0, self.source - 1).astype(np.intp)[:, np.newaxis]
        pixels = first + np.arange((last - first).max() + 1)
        distances = np.abs((pixels.astype(np.float32) + half - centers[:, np.newaxis]) * (one / radius))
        weights = np.maximum(one - distances, np.float32(0)) * (pixels <= last)
        # One after the other: a sum of numpy has another order.
        totals = np.add.accumulate(weights, axis=1)[:, -1:]
        return np.minimum(pixels, self.source - 1), weights * (one / totals)


def resized(image: NDArray[Any], down: Side, across: Side, antialias: bool) -> NDArray[np.float32]:
    """Resize an image.

    Args:
        image: (height, width, channels) uint8 or float32.
        down: its height.
        across: its width.
        antialias: average over the source pixels where the image becomes smaller, instead of between the nearest two.

    Returns:
        (down.count, across.count, channels).
    """
    lines = _averaged(image, down, across) if antialias else _interpolated(image, down, across)
    return lines.reshape(down.count, across.count, image.shape[2])


def bicubic(image: NDArray[np.uint8], down: Side, across: Side) -> NDArray[np.uint8]:
    """Resize an image with the bicubic filter of Pillow, whose result has 8 bits.

    Args:
        image: (height, width, 3).
        down: its height.
        across: its width.

    Returns:
        (down.count, across.count, 3).
    """
    whole = Image.fromarray(image).resize((across.target, down.target), Image.Resampling.BICUBIC)
    return np.asarray(whole)[down.start : down.start + down.count, across.start : across.start + across.count]


# A row of pixels is a line of height x (width * channels) values, because numpy is slow along an axis of 3.


def _interpolated(image: NDArray[Any], down: Side, across: Side) -> NDArray[np.float32]:
    """Between the nearest two pixels of a row, then between two rows."""
    left, right, along = across.neighbors()
    weights = along.repeat(image.shape[2])

    def in_row(rows: NDArray[np.intp]) -> NDArray[np.float32]:
        chosen = image[rows]
        return _between(_columns(chosen, left), _columns(chosen, right), weights)

    upper, lower, between = down.neighbors()
    return _between(in_row(upper), in_row(lower), between[:, np.newaxis])


def _between(first: NDArray[Any], second: NDArray[Any], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """``first + (second - first) * weights``."""
    result: NDArray[np.float32] = np.subtract(second, first, dtype=np.float32)
    result *= weights
    result += first
    return result


def _averaged(image: NDArray[Any], down: Side, across: Side) -> NDArray[np.float32]:
    """The weighted average over a span of rows, then over a span of columns."""
    height, width, channels = image.shape
    lines = image.reshape(height, width * channels)
    pixels, weights = down.spans()
    rows = _summed((lines[chosen] for chosen in pixels.T), weights.T[:, :, np.newaxis])
    averaged = rows.reshape(down.count, width, channels)
    pixels, weights = across.spans()
    return _summed((_columns(averaged, chosen) for chosen in pixels.T), weights.T.repeat(channels, axis=1))


def _summed(parts: Iterable[NDArray[Any]], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weighted sum of arrays, one after the other."""
    total: Any = np.float32(0)
    for part, weight in zip(parts, weights, strict=True):
        total += part * weight
    return np.asarray(total)


def _columns(image: NDArray[Any], chosen: NDArray[np.intp]) -> NDArray[Any]:
    """Some columns of an image, as lines."""
    return image.take(chosen, 1).reshape(len(image), -1)

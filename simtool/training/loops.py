"""Augmentation in compiled loops for processors, with the bits of TensorFlow's operations.

TensorFlow resamples an image value by value, computes the place of each value again, and goes through memory once for
each operation. Here, an image stays in the cache of a core until it is done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.system.compiled import compiled
from simtool.system.threads import in_threads
from simtool.training.normals import fill_normals

__all__ = ["change"]

#: The least number of images for a thread: more pieces cost more than they balance.
_LEAST = 16
#: Bytes of a line of memory. TensorFlow uses an array that begins with a line without a copy.
_LINE = 64
_ZERO, _ONE, _WHITE = np.float32(0), np.float32(1), np.float32(255)
#: Steps in memory, without a sign, so that numba does not test for places from the end: a channel, and a pixel.
_STEP, _NEXT = np.uint64(1), np.uint64(3)


def change(
    images: NDArray[np.uint8],
    maps: NDArray[np.float32],
    factors: NDArray[np.float32],
    shifts: NDArray[np.float32],
    noise: NDArray[np.float32],
    key: NDArray[np.uint64],
    counter: NDArray[np.uint64],
    rows: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Resample, contrast, brightness and noise, image by image, in threads.

    Args:
        images: (b, height, width, 3).
        maps: (b, 8) from the pixels of the result to those of the image; see ``ImageProjectiveTransformV3``.
        factors: (b,) of the contrast; (0,) for no change of contrast.
        shifts: (b,) of the values.
        noise: (), the standard deviation; 0 for no noise.
        key: (1,) and ``counter`` (2,), of the normal random numbers.
        counter: see ``key``.
        rows: (b,) the positions of the images in the global batch, which choose their noise.

    Returns:
        (b, height, width, 3) from 0 to 255.
    """
    result = _empty(images.shape)
    in_threads(
        lambda start, stop: _change(
            *(images, maps, factors, shifts, noise[()], key[0], counter, rows, start, stop, result)
        ),
        len(images),
        least=_LEAST,
    )
    return result


def _empty(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array that begins with a line of memory."""
    size = 4 * int(np.prod(shape))
    room = np.empty(size + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + size].view(np.float32).reshape(shape)


@compiled
def _change(
    images: Any,
    maps: Any,
    factors: Any,
    shifts: Any,
    noise: Any,
    key: Any,
    counter: Any,
    rows: Any,
    start: int,
    stop: int,
    result: Any,
) -> None:
    """See :func:`change`; the images from ``start`` to ``stop``."""
    _, height, width, _ = images.shape
    size = 3 * height * width
    # Two more rows: the neighbors of the last pixel, which have the weight 0.
    source = np.zeros(size + 3 * (width + 1), np.float32)
    # A random number for each value; groups of four can begin before the image.
    groups = np.empty((size // 4 + 2, 4), np.float32)
    level = np.empty(3, np.float32)
    for index in range(start, stop):
        values = result[index].reshape(-1)
        _copy(images[index].reshape(-1), source)
        _resample(source, maps[index], height, width, values)
        level[:] = shifts[index]
        if len(factors):
            _contrast(values, factors[index], level)
        if noise > _ZERO:
            first = np.int64(rows[index]) * size
            fill_normals(key, counter, first // 4, groups)
            _add(groups.reshape(-1)[first % 4 :], noise, values)
        _lift(values, level)


@compiled
def _copy(image: Any, source: Any) -> None:
    for place in range(image.shape[0]):
        source[place] = np.float32(image[place])


@compiled
def _add(numbers: Any, factor: Any, values: Any) -> None:
    for place in range(values.shape[0]):
        values[place] += factor * numbers[place]


@compiled
def _resample(source: Any, steps: Any, height: int, width: int, values: Any) -> None:
    """Interpolate between the four nearest pixels; the image is mirrored at its edges."""
    across, down = np.empty(width, np.float32), np.empty(width, np.float32)
    places, row_below = np.empty(width, np.uint64), np.uint64(3 * width)
    for y in range(height):
        for x in range(width):
            column, row = np.float32(x), np.float32(y)
            place_across = _mirrored(steps[0] * column + steps[1] * row + steps[2], width)
            place_down = _mirrored(steps[3] * column + steps[4] * row + steps[5], height)
            left, upper = np.int32(place_across), np.int32(place_down)
            across[x], down[x] = place_across - np.float32(left), place_down - np.float32(upper)
            places[x] = np.uint64(3 * (upper * width + left))
        line = values[3 * width * y : 3 * width * (y + 1)]
        for x in range(width):
            right, lower = across[x], down[x]
            left_weight, upper_weight = _ONE - right, _ONE - lower
            here, below = places[x], places[x] + row_below
            for channel in range(3):
                top = left_weight * source[here] + right * source[here + _NEXT]
                bottom = left_weight * source[below] + right * source[below + _NEXT]
                line[3 * x + channel] = upper_weight * top + lower * bottom
                here, below = here + _STEP, below + _STEP


@compiled
def _mirrored(place: Any, length: int) -> Any:
    """A place within the image: [abcd] continues as [dcba|abcd|dcba]."""
    end, period = np.float32(length), np.float32(2 * length)
    # Without branches, so that the compiler makes vector instructions.
    before = place + period * np.float32(np.int32(-place / period))
    before = before + period if before < -end else -before - _ONE
    behind = place - period * np.float32(np.int32(place / period))
    behind = period - behind - _ONE if behind >= end else behind
    inside = before if place < _ZERO else (behind if place > end - _ONE else place)
    return min(max(inside, _ZERO), end - _ONE)


@compiled
def _contrast(values: Any, factor: Any, level: Any) -> None:
    """Scale the differences from the mean of each channel, and move the means to the level."""
    red, green, blue = _ZERO, _ZERO, _ZERO
    for place in range(0, len(values), 3):
        red += values[place]
        green += values[place + 1]
        blue += values[place + 2]
    count = np.float32(len(values) // 3)
    red, green, blue = red / count, green / count, blue / count
    for place in range(0, len(values), 3):
        values[place] = (values[place] - red) * factor
        values[place + 1] = (values[place + 1] - green) * factor
        values[place + 2] = (values[place + 2] - blue) * factor
    level[0] += red
    level[1] += green
    level[2] += blue


@compiled
def _lift(values: Any, level: Any) -> None:
    """Add the level of each channel, and keep values from black to white."""
    red, green, blue = level[0], level[1], level[2]
    for place in range(0, len(values), 3):
        values[place] = min(max(values[place] + red, _ZERO), _WHITE)
        values[place + 1] = min(max(values[place + 1] + green, _ZERO), _WHITE)
        values[place + 2] = min(max(values[place + 2] + blue, _ZERO), _WHITE)

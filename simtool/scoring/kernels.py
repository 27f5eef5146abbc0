"""Sums over the coordinates of pairs of vectors, in float64 for vectors of any type.

Differences of float32 numbers are exact in float64 (except for extreme ratios), so a common mean costs no digits.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.pairs import Pairs
from simtool.system.compiled import compiled, compiled_sum
from simtool.system.threads import in_threads

__all__ = [
    "ABSOLUTES",
    "PRODUCTS",
    "SHORT",
    "SQUARES",
    "add_over_pairs",
    "add_over_rows",
    "finest_unit",
    "square",
]

Block: TypeAlias = NDArray[Any]

#: Sums over the coordinates of two vectors x and y: of (x - y)², x y and \|x - y\|.
SQUARES, PRODUCTS, ABSOLUTES = range(3)
#: Shorter vectors have no angle in double precision: the squares of their values vanish.
SHORT = 2.0**-200
#: The least number of pairs for a thread.
_LEAST = 256


def add_over_pairs(term: int, block: Block, pairs: Pairs, out: NDArray[np.float64]) -> None:
    """Add a sum over the columns of a block for all pairs, in threads.

    Args:
        term: ``SQUARES``, ``PRODUCTS`` or ``ABSOLUTES``.
        block: (n, w) C-contiguous float32 or float64; some columns of each vector.
        pairs: of n images.
        out: (P,) the sums so far.
    """
    first, second = pairs.first, pairs.second
    in_threads(lambda start, stop: _add(term, block, first, second, start, stop, out), len(pairs), least=_LEAST)


@compiled_sum
def _add(
    term: int,
    block: Block,
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    start: int,
    stop: int,
    out: NDArray[np.float64],
) -> None:
    pair = start
    while pair < stop:
        x, y = block[first[pair]], block[second[pair]]
        if term == PRODUCTS:
            out[pair] += _product(x, y)
        elif term == ABSOLUTES:
            out[pair] += _absolute(x, y)
        elif pair + 3 < stop and first[pair] == first[pair + 1] == first[pair + 2] == first[pair + 3]:
            # Four partners of one vector at a time, so that it is loaded once.
            sums = _four_squares(x, y, block[second[pair + 1]], block[second[pair + 2]], block[second[pair + 3]])
            for offset in range(4):
                out[pair + offset] += sums[offset]
            pair += 3
        else:
            out[pair] += square(x, y)
        pair += 1


@compiled_sum
def _product(x: Block, y: Block) -> float:
    total = 0.0
    for column in range(x.size):
        total += np.float64(x[column]) * np.float64(y[column])
    return total


@compiled_sum
def _absolute(x: Block, y: Block) -> float:
    total = 0.0
    for column in range(x.size):
        total += abs(np.float64(x[column]) - np.float64(y[column]))
    return total


@compiled_sum
def square(x: Block, y: Block) -> float:
    """The sum of (x - y)²."""
    total = 0.0
    for column in range(x.size):
        difference = np.float64(x[column]) - np.float64(y[column])
        total += difference * difference
    return total


@compiled_sum
def _four_squares(x: Block, y0: Block, y1: Block, y2: Block, y3: Block) -> tuple[float, float, float, float]:
    total0, total1, total2, total3 = 0.0, 0.0, 0.0, 0.0
    for column in range(x.size):
        value = np.float64(x[column])
        difference0 = value - np.float64(y0[column])
        difference1 = value - np.float64(y1[column])
        difference2 = value - np.float64(y2[column])
        difference3 = value - np.float64(y3[column])
        total0 += difference0 * difference0
        total1 += difference1 * difference1
        total2 += difference2 * difference2
        total3 += difference3 * difference3
    return total0, total1, total2, total3


def add_over_rows(block: Block, origin: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Add for each vector x the sums of x², of x - origin, and of (x - origin)², in threads.

    Sums around an origin within the data keep their digits if all values are large and similar.

    Args:
        block: (n, w) some columns of each vector.
        origin: (n,) for each vector.
        out: (n, 3) the sums so far.
    """
    in_threads(lambda start, stop: _moments(block, origin, start, stop, out), len(block), least=_LEAST)


@compiled_sum
def _moments(block: Block, origin: NDArray[np.float64], start: int, stop: int, out: NDArray[np.float64]) -> None:
    for row in range(start, stop):
        x, shift = block[row], origin[row]
        square, shifted, shifted_square = 0.0, 0.0, 0.0
        for column in range(x.size):
            value = np.float64(x[column])
            square += value * value
            shifted += value - shift
            shifted_square += (value - shift) * (value - shift)
        out[row, 0] += square
        out[row, 1] += shifted
        out[row, 2] += shifted_square


@compiled
def finest_unit(block: Block, unit: float) -> float:
    """The largest power of two of which ``unit`` and all values of a block are whole multiples, less than 2^24.

    Args:
        block: (n, w).
        unit: the unit of earlier blocks; infinite if there are none.

    Returns:
        The unit; 0 if a value has 2^24 units or more, so that sums of squares would not be exact.
    """
    most = 0.0
    for row in range(block.shape[0]):
        if _misfits(block[row], unit) == 0:
            continue
        for column in range(block.shape[1]):
            value = abs(np.float64(block[row, column]))
            if value == 0:
                continue
            most = max(most, value)
            if value < unit or value / unit != np.floor(value / unit):
                unit = min(unit, _lowest_bit(value))
            if most >= 2.0**24 * unit:
                return 0.0
    return unit


@compiled_sum
def _misfits(x: Block, unit: float) -> int:
    count = 0
    for column in range(x.size):
        value = abs(np.float64(x[column]))
        parts = value / unit
        count += (value != 0) & ((value < unit) | (parts >= 2.0**24) | (parts != np.floor(parts)))
    return count


@compiled
def _lowest_bit(value: float) -> float:
    """The largest power of two of which a positive number is a whole multiple."""
    mantissa, exponent = math.frexp(value)
    whole = np.int64(math.ldexp(mantissa, 53))
    return math.ldexp(np.float64(whole & -whole), exponent - 53)

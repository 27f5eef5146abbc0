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
    "angles_of",
    "finest_unit",
    "whole_cosines",
]

Block: TypeAlias = NDArray[Any]

#: Sums over the coordinates of two vectors x and y: of (x - y)², x y and \|x - y\|.
SQUARES, PRODUCTS, ABSOLUTES = range(3)
#: The difference of two terms keeps enough digits if their sum is less than this many times the difference.
_CONDITION = 20.0
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
        elif pair + 3 < stop and first[pair + 3] == first[pair]:
            # Four partners of one vector at a time, so that it is loaded once.
            sums = _four_squares(x, y, block[second[pair + 1]], block[second[pair + 2]], block[second[pair + 3]])
            for offset in range(4):
                out[pair + offset] += sums[offset]
            pair += 3
        else:
            out[pair] += _square(x, y)
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
def _square(x: Block, y: Block) -> float:
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


def angles_of(
    squares: NDArray[np.float64],
    pairs: Pairs,
    length: NDArray[np.float64],
    shift: NDArray[np.float64],
    growth: NDArray[np.float64],
    tolerance: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 - cos of the angle between vectors, from their squared distance and their lengths, in threads.

    For u of length a and v of length b, |u - v|² = (a - b)² + 2 a b (1 - cos).

    Args:
        squares: (P,) squared distances of the pairs, with a relative error of ``tolerance``.
        pairs: P pairs of n vectors.
        length: (n,) lengths of the vectors, with a relative error of ``growth`` times ``tolerance``.
        shift: (n,) positions of the vectors along the direction at right angles to u and v, with the same error.
        growth: (n,) see ``length``.
        tolerance: the relative error of a sum.

    Returns:
        The angles, (P,), NaN if the difference keeps too few digits. And (P,) their error divided by ``tolerance``, at
        most; infinite if a vector is too short.
    """
    angles, sizes = np.empty(len(pairs)), np.empty(len(pairs))
    arrays = squares, pairs.first, pairs.second, length, shift, growth, tolerance, angles, sizes
    in_threads(lambda start, stop: _angles(*arrays, start, stop), len(pairs), least=_LEAST)
    return angles, sizes


@compiled
def _angles(
    squares: NDArray[np.float64],
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    length: NDArray[np.float64],
    shift: NDArray[np.float64],
    growth: NDArray[np.float64],
    tolerance: float,
    angles: NDArray[np.float64],
    sizes: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    for pair in range(start, stop):
        x, y = first[pair], second[pair]
        if min(length[x], length[y]) < SHORT:
            angles[pair], sizes[pair] = 0, np.inf
            continue
        if squares[pair] == 0:  # equal vectors, which are frequent in tables of labels
            angles[pair] = sizes[pair] = 0
            continue
        apart, aside, twice = abs(length[x] - length[y]), abs(shift[x] - shift[y]), 2 * length[x] * length[y]
        removed = apart**2 + aside**2
        rest = squares[pair] - removed
        canceled = squares[pair] + removed >= _CONDITION * rest
        angles[pair] = np.nan if canceled else rest / twice
        unsure = growth[x] * length[x] + growth[y] * length[y]
        error = squares[pair] + 2 * (apart + aside) * unsure + tolerance * unsure**2
        sizes[pair] = (error + rest * (growth[x] + growth[y])) / twice


def whole_cosines(
    squares: NDArray[np.float64], pairs: Pairs, norms: NDArray[np.float64], unit: float
) -> NDArray[np.float64]:
    """1 - cosine of vectors of whole numbers, in threads. Two results are equal only if the cosines are equal.

    The square of a cosine is p² / (|x|² |y|²). Below 2^24 its parts are exact, and different squares differ by 2^-48.

    Args:
        squares: (P,) exact squared distances of the pairs.
        pairs: P pairs of n vectors.
        norms: (n,) exact squared lengths in squared units; a product of two is below 2^24.
        unit: all coordinates are whole multiples of it.
    """
    cosines = np.empty(len(pairs))

    def work(start: int, stop: int) -> None:
        x, y = norms[pairs.first[start:stop]], norms[pairs.second[start:stop]]
        product = (x + y - squares[start:stop] / unit**2) / 2
        cosine = np.sqrt(product * product / (x * y))
        cosines[start:stop] = np.where(product > 0, 1 - cosine, 1 + cosine)

    in_threads(work, len(pairs), least=_LEAST)
    return cosines


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

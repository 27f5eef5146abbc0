"""Sums of products of floating-point numbers without rounding.

Each number is a whole multiple of a power of two, so a sum of products is a whole number of units. The sum is kept in
limbs of 28 bits and becomes a Python integer at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.system.compiled import compiled
from simtool.system.threads import in_threads

__all__ = ["Parts", "lowest_exponent"]

_BITS = 28
_MASK = (1 << _BITS) - 1
#: Bits of the lower half of a mantissa.
_HALF = 27


def lowest_exponent(vectors: NDArray[np.float64]) -> int:
    """The largest e such that all values are whole multiples of 2^e; 0 if all values are zero."""
    mantissa, exponent = _decoded(vectors)
    filled = mantissa != 0
    if not filled.any():
        return 0
    lowest = np.log2((mantissa[filled] & -mantissa[filled]).astype(np.float64)).astype(np.int64)
    return int((exponent[filled] + lowest).min())


class Parts:
    """Vectors as whole numbers.

    Args:
        vectors: (n, D) finite.
        lowest: all values are whole multiples of 2^lowest.
    """

    def __init__(self, vectors: NDArray[np.float64], lowest: int) -> None:
        self._vectors = vectors
        mantissa, exponent = _decoded(vectors)
        # Zeros must not widen the range.
        exponent[mantissa == 0] = lowest
        # A mantissa may extend below the lowest unit, where its bits are zero: it is shifted to start at the unit.
        below = np.maximum(lowest - exponent, 0)
        self._mantissa, self._shift = mantissa >> below, np.maximum(exponent - lowest, 0)
        self._highest = int(self._shift.max(initial=0))

    def products(self, first: NDArray[np.intp], second: NDArray[np.intp], bounds: Sequence[int]) -> NDArray[np.object_]:
        """The sums of x y within each group of columns, (P, groups), in units of 2^(2 lowest).

        Args:
            first: (P,) rows.
            second: (P,) rows.
            bounds: columns at which the groups begin and end.
        """
        columns = np.asarray(bounds, np.int64)
        return self._sums(_add_products, (len(first), len(bounds) - 1), 2, first, second, columns)

    def norms(self, bounds: Sequence[int]) -> NDArray[np.object_]:
        """The sums of x² of every vector, (n, groups); see :meth:`products`."""
        every = np.arange(len(self._mantissa))
        return self.products(every, every, bounds)

    def absolutes(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.object_]:
        """The sums of \\|x - y\\|, (P, 1), in units of 2^lowest."""
        return self._sums(_add_absolutes, (len(first), 1), 1, first, second, self._vectors)

    def totals(self) -> NDArray[np.object_]:
        """The sum of each vector, (n, 1), in units of 2^lowest."""
        return self._sums(_add_totals, (len(self._mantissa), 1), 1)

    def _sums(
        self, add: Callable[..., None], shape: tuple[int, int], factors: int, *arrays: NDArray[Any]
    ) -> NDArray[np.object_]:
        """Run a loop that adds products of ``factors`` numbers, in threads; the sums have room for D products."""
        bits = factors * (self._highest + 53) + self._mantissa.shape[1].bit_length() + 2
        limbs = np.zeros((*shape, bits // _BITS + 4), np.int64)
        numbers = self._mantissa, self._shift
        in_threads(lambda start, stop: add(*numbers, *arrays, limbs, start, stop), shape[0])
        return _whole(limbs)


def _decoded(vectors: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole mantissas and exponents of two, so that vectors = mantissa 2^exponent."""
    mantissa, exponent = np.frexp(vectors)
    return np.ldexp(mantissa, 53).astype(np.int64), exponent.astype(np.int64) - 53


def _whole(limbs: NDArray[np.int64]) -> NDArray[np.object_]:
    """Python integers from limbs along the last axis, which may be negative or longer than 28 bits."""
    total = np.zeros(limbs.shape[:-1], object)
    for place in range(limbs.shape[-1] - 1, -1, -1):
        total = (total << _BITS) + limbs[..., place].astype(object)
    return total


@compiled
def _deposit(limbs: NDArray[np.int64], value: int, bit: int) -> None:
    """Add a number of less than 2^56 times 2^bit."""
    place, shift = bit // _BITS, bit % _BITS
    low, high = (value & _MASK) << shift, (value >> _BITS) << shift
    limbs[place] += low & _MASK
    limbs[place + 1] += (low >> _BITS) + (high & _MASK)
    limbs[place + 2] += high >> _BITS


@compiled
def _add_products(
    mantissa: NDArray[np.int64],
    exponent: NDArray[np.int64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    bounds: NDArray[np.int64],
    limbs: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    low = (1 << _HALF) - 1
    for pair in range(start, stop):
        x, y = first[pair], second[pair]
        for group in range(bounds.size - 1):
            out = limbs[pair, group]
            for column in range(bounds[group], bounds[group + 1]):
                left, right = mantissa[x, column], mantissa[y, column]
                if left == 0 or right == 0:
                    continue
                bit = exponent[x, column] + exponent[y, column]
                left_low, left_high = left & low, left >> _HALF
                right_low, right_high = right & low, right >> _HALF
                _deposit(out, left_low * right_low, bit)
                _deposit(out, left_low * right_high + left_high * right_low, bit + _HALF)
                _deposit(out, left_high * right_high, bit + 2 * _HALF)


@compiled
def _add_absolutes(
    mantissa: NDArray[np.int64],
    exponent: NDArray[np.int64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    vectors: NDArray[np.float64],
    limbs: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    for pair in range(start, stop):
        x, y, out = first[pair], second[pair], limbs[pair, 0]
        for column in range(mantissa.shape[1]):
            left, right = mantissa[x, column], mantissa[y, column]
            sign = 1 if vectors[x, column] > vectors[y, column] else -1
            _deposit(out, sign * left, exponent[x, column])
            _deposit(out, -sign * right, exponent[y, column])


@compiled
def _add_totals(
    mantissa: NDArray[np.int64], exponent: NDArray[np.int64], limbs: NDArray[np.int64], start: int, stop: int
) -> None:
    for row in range(start, stop):
        for column in range(mantissa.shape[1]):
            _deposit(limbs[row, 0], mantissa[row, column], exponent[row, column])

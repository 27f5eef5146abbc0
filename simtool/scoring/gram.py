"""The inner products of all pairs of vectors, from which their squared distances follow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.rows import RowSums
from simtool.system.compiled import compiled_sum
from simtool.system.threads import Workers, in_threads

__all__ = ["Gram"]

#: Rows and columns of a tile of the products, and how many coordinates are summed in a piece. Short sums have a small
#: bound of the error.
_TILE, _PIECE = 384, 256
#: Whole numbers up to this are exact in single precision; their unit must be larger than the other number.
_WHOLE, _FINEST = 2.0**24, 2.0**-50
#: Squares and products below the range of single precision are lost: their sum is smaller than this. Sums up to the
#: other number are within the range.
_LOST, _LARGEST = 2.0**-100, 2.0**120


class Gram(NamedTuple):
    """The inner products of n centered vectors: |x - y|² = |x|² + |y|² - 2 x·y.

    The vectors are centered, because this formula loses digits to a common mean.

    Attributes:
        products: (n, n) on and above the diagonal; the other places hold nothing.
        norms: (n,) |x|².
        block: (n, w) the last block of columns as it was read.
    """

    products: NDArray[Any]
    norms: NDArray[np.float64]
    block: NDArray[Any]

    @classmethod
    def of(cls, rows: RowSums, precision: type[np.floating[Any]], advance: Callable[[int], object]) -> Gram:
        """Multiply all vectors, and collect their sums. Sums of whole multiples of a unit remain exact.

        Args:
            rows: of the vectors; receives their columns.
            precision: of the products, float32 or float64.
            advance: called with the number of columns after each block.
        """
        count = rows.columns.count
        products, norms, block = np.empty((count, count), precision), np.zeros(count), np.empty((0, 0))
        tiles = [slice(start, start + _TILE) for start in range(0, count, _TILE)]
        # Threads of the library for products would stay busy after a product, and hold up the threads that judge.
        with Workers() as workers:
            for span, block in rows.blocks():
                rows.add(block)
                centered = _centered(block, rows.unit, norms, precision)

                add = partial(_add_products, products, centered, span.start == 0)
                workers.each(add, combinations_with_replacement(tiles, 2))
                advance(span.stop - span.start)
        return cls(products, norms, block)

    @property
    def longest(self) -> float:
        """The largest |x|²; a squared distance is at most four times as large."""
        return float(self.norms.max())

    def error(self, rows: RowSums) -> float:
        """The largest error of a squared distance from the products, apart from that of double precision."""
        if self.products.dtype == np.float64:
            return 0.0
        if not self.longest < _LARGEST:
            return np.inf
        if rows.are_exact() and self._is_exact(rows.unit):
            return 0.0
        # Each rounding of a value, a product or a sum adds at most 2^-24 |x| |y| to x·y (Higham 2002, section 3.1).
        dimension = rows.columns.dimension
        roundings = min(_PIECE, dimension) + dimension // _PIECE + 8
        return roundings * 2.0**-23 * self.longest + _LOST

    def _is_exact(self, unit: float) -> bool:
        """Whether the products of whole multiples of a unit fit single precision."""
        return unit > _FINEST and self.longest < _WHOLE * unit**2


def _centered(
    block: NDArray[Any], unit: float, norms: NDArray[np.float64], precision: type[np.floating[Any]]
) -> NDArray[Any]:
    """The columns of a block less their means, rounded to whole multiples of the unit; adds their squares to norms."""
    center = block.mean(axis=0, dtype=np.float64)
    if 0 < unit < np.inf:
        center = np.rint(center / unit) * unit
    centered = np.empty(block.shape, precision)
    in_threads(lambda start, stop: _center(block, center, centered, norms, start, stop), len(block))
    return centered


def _add_products(products: NDArray[Any], vectors: NDArray[Any], first: bool, tile: tuple[slice, slice]) -> None:
    """Add the inner products of some columns to a tile, or begin it."""
    left, right = (vectors[side] for side in tile)
    with np.errstate(all="ignore"):  # double precision follows where single precision overflows
        total = left[:, :_PIECE] @ right[:, :_PIECE].T
        for start in range(_PIECE, vectors.shape[1], _PIECE):
            total += left[:, start : start + _PIECE] @ right[:, start : start + _PIECE].T
        products[tile] = total if first else total + products[tile]


@compiled_sum
def _center(
    block: NDArray[Any],
    center: NDArray[np.float64],
    out: NDArray[Any],
    norms: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    for row in range(start, stop):
        total = 0.0
        for column in range(center.size):
            value = np.float64(block[row, column]) - center[column]
            out[row, column] = value
            total += value * value
        norms[row] += total

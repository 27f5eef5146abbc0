"""A large symmetric matrix of which only the lower half is kept."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SymmetricMatrix"]

#: Rows and columns of a tile: large enough for a matrix product at full speed, small enough to waste little.
TILE = 512


class SymmetricMatrix:
    """A symmetric float64 matrix as the tiles on and below its diagonal, in half the memory of the whole.

    Args:
        size: rows and columns. It starts as zero.
        tile: rows and columns of a tile.

    Attributes:
        size: rows and columns.
    """

    def __init__(self, size: int, tile: int = TILE) -> None:
        self.size = size
        bands = [slice(start, min(start + tile, size)) for start in range(0, size, tile)]
        self._tiles = {
            (below.start, left.start): (below, left, np.zeros((below.stop - below.start, left.stop - left.start)))
            for left, below in combinations_with_replacement(bands, 2)
        }

    def _each(self) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
        yield from self._tiles.values()

    def add_product(self, factor: NDArray[np.floating[Any]]) -> None:
        """Add ``factor @ factor.T``, where factor is (size, width).

        The product is formed in the factor's precision, the sum of all products in float64.
        """
        for rows, columns, tile in self._each():
            tile += factor[rows] @ factor[columns].T

    def subtract_outer(self, vector: NDArray[np.float64]) -> None:
        """Subtract ``vector @ vector.T``, where vector is (size,)."""
        for rows, columns, tile in self._each():
            tile -= np.outer(vector[rows], vector[columns])

    def apply(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The product with (size, count) vectors."""
        result = np.zeros_like(vectors)
        for rows, columns, tile in self._each():
            result[rows] += tile @ vectors[columns]
            if rows != columns:
                result[columns] += tile.T @ vectors[rows]
        return result

    def trace(self) -> float:
        """The sum of the diagonal, which is the sum of all eigenvalues."""
        return float(sum(tile.trace() for rows, columns, tile in self._each() if rows == columns))

    def dense(self) -> NDArray[np.float64]:
        """The whole matrix."""
        whole = np.empty((self.size, self.size))
        for rows, columns, tile in self._each():
            whole[rows, columns] = tile
            whole[columns, rows] = tile.T
        return whole

"""A large symmetric matrix in half the memory."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simtool.system.threads import Workers

__all__ = ["SymmetricMatrix"]

#: Rows and columns of a tile: large enough for fast matrix products, small enough to save memory.
TILE = 512


class _Tile(NamedTuple):
    rows: slice
    columns: slice
    values: NDArray[np.float64]


class SymmetricMatrix:
    """A symmetric float64 matrix, stored as the tiles on and below its diagonal. It starts as zero.

    Args:
        size: rows and columns.
        workers: the threads that share the work.
        tile: rows and columns of a tile.

    Attributes:
        size: rows and columns.
    """

    def __init__(self, size: int, workers: Workers, tile: int = TILE) -> None:
        self.size = size
        self._workers = workers
        self._bands = [slice(start, min(start + tile, size)) for start in range(0, size, tile)]
        self._tiles = [
            _Tile(rows, columns, np.zeros((rows.stop - rows.start, columns.stop - columns.start)))
            for columns, rows in combinations_with_replacement(self._bands, 2)
        ]
        # The tiles of each band of rows of the whole matrix, by the first row of the band.
        self._strips: dict[int, list[tuple[slice, NDArray[np.float64]]]] = {band.start: [] for band in self._bands}
        for rows, columns, values in self._tiles:
            self._strips[rows.start].append((columns, values))
            if rows != columns:
                self._strips[columns.start].append((rows, values.T))

    def add_product(self, factor: NDArray[np.floating[Any]]) -> None:
        """Add ``factor @ factor.T``, where factor is (size, width).

        The product has the precision of the factor; the sum of all products is float64.
        """

        def add(tile: _Tile) -> None:
            np.add(tile.values, factor[tile.rows] @ factor[tile.columns].T, out=tile.values)

        self._workers.each(add, self._tiles)

    def subtract_outer(self, vector: NDArray[np.float64]) -> None:
        """Subtract ``vector @ vector.T``, where vector is (size,)."""

        def subtract(tile: _Tile) -> None:
            np.subtract(tile.values, np.outer(vector[tile.rows], vector[tile.columns]), out=tile.values)

        self._workers.each(subtract, self._tiles)

    def apply(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The product with (size, count) vectors."""
        result = np.zeros_like(vectors)

        def fill(band: slice) -> None:
            for columns, values in self._strips[band.start]:
                result[band] += values @ vectors[columns]

        self._workers.each(fill, self._bands)
        return result

    def trace(self) -> float:
        """The sum of the diagonal, which equals the sum of all eigenvalues."""
        return float(sum(tile.values.trace() for tile in self._tiles if tile.rows == tile.columns))

    def dense(self) -> NDArray[np.float64]:
        """The whole matrix."""
        whole = np.empty((self.size, self.size))
        for tile in self._tiles:
            whole[tile.rows, tile.columns] = tile.values
            whole[tile.columns, tile.rows] = tile.values.T
        return whole

"""Squared distances of many pairs from one symmetric matrix product, tile by tile.

Where most pairs of images are asked for, a matrix product does several times more arithmetic per second than a loop
over pairs. No more than one tile of the matrix exists at a time, tiles without a pair are passed over, and of two
mirrored tiles only one is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.pairs import TILE, Pairs

__all__ = ["GramTile", "add_gram_squares", "gram_is_cheaper", "gram_tiles"]

#: Time for one cell of a tile over that for one pair of the loop, per column (both in float64; measured: 0.3).
_CELL_COST = 0.35


@dataclass(frozen=True)
class GramTile:
    """A tile with the pairs that lie in it.

    Attributes:
        rows: of the matrix.
        columns: of the matrix.
        pairs: positions of the pairs.
    """

    rows: slice
    columns: slice
    pairs: slice


def gram_tiles(pairs: Pairs) -> list[GramTile]:
    """The square tiles that hold pairs; the order of the pairs keeps those of a tile together."""
    side, across = TILE[0], -(-pairs.images // TILE[0])
    tile = pairs.first // side * across + pairs.second // side
    starts = [0, *(np.flatnonzero(tile[1:] != tile[:-1]) + 1).tolist()]
    return [
        _tile(int(tile[start]) // across, int(tile[start]) % across, pairs.images, slice(start, stop))
        for start, stop in pairwise([*starts, len(pairs)])
    ]


def _tile(row: int, column: int, images: int, pairs: slice) -> GramTile:
    return GramTile(_extent(row, images), _extent(column, images), pairs)


def _extent(number: int, images: int) -> slice:
    return slice(number * TILE[0], min((number + 1) * TILE[0], images))


def gram_is_cheaper(pairs: Pairs, tiles: Sequence[GramTile]) -> bool:
    """Whether the pairs are dense enough for the matrix product, which pays for whole tiles."""
    cells = sum(_length(tile.rows) * _length(tile.columns) for tile in tiles)
    return _CELL_COST * cells < len(pairs)


def _length(extent: slice) -> int:
    length: int = extent.stop - extent.start
    return length


def add_gram_squares(
    block: NDArray[Any],
    pairs: Pairs,
    tiles: Sequence[GramTile],
    out: NDArray[np.float64],
    norms: NDArray[np.float64],
    unit: float = 0.0,
) -> None:
    """Add the squared differences of all pairs over a block of columns.

    The columns are centered first, since |x - y|² = |x|² + |y|² - 2 x·y loses the digits that a common mean takes.
    Whole multiples of a unit remain so, and their sums exact.

    Args:
        block: (n, w) some columns of every vector.
        pairs: of n images.
        tiles: of ``pairs``.
        out: (P,) the squared differences so far.
        norms: (n,) the squared norms of the centered vectors so far.
        unit: what all values are whole multiples of; 0 where there is no such number.
    """
    center = block.mean(axis=0, dtype=np.float64)
    centered = block - (np.rint(center / unit) * unit if unit else center)
    squares = np.einsum("ij,ij->i", centered, centered)
    norms += squares
    for tile in tiles:
        product = centered[tile.rows] @ centered[tile.columns].T
        first, second = pairs.first[tile.pairs], pairs.second[tile.pairs]
        product = product[first - tile.rows.start, second - tile.columns.start]
        out[tile.pairs] += squares[first] + squares[second] - 2 * product

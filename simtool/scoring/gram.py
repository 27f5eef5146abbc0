"""Squared distances of many pairs from one symmetric matrix product, tile by tile.

If most pairs of images are needed, a matrix product does several times more arithmetic per second than a loop over
pairs. Only one tile of the matrix exists at a time. Tiles without pairs are skipped, and only one of two mirrored tiles
is computed.
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

#: Time for a cell of a tile divided by the time for a pair of the loop, per column (both in float64; measured: 0.3).
_CELL_COST = 0.35


@dataclass(frozen=True)
class GramTile:
    """A tile: its rows and columns of the matrix, and the positions of the pairs in it."""

    rows: slice
    columns: slice
    pairs: slice


def gram_tiles(pairs: Pairs) -> list[GramTile]:
    """The square tiles that contain pairs; pairs of a tile follow each other."""
    side, across = TILE[0], -(-pairs.images // TILE[0])
    tile = pairs.first // side * across + pairs.second // side
    starts = [0, *(np.flatnonzero(tile[1:] != tile[:-1]) + 1).tolist()]
    found = []
    for start, stop in pairwise([*starts, len(pairs)]):
        row, column = (number * side for number in divmod(int(tile[start]), across))
        rows, columns = (slice(first, min(first + side, pairs.images)) for first in (row, column))
        found.append(GramTile(rows, columns, slice(start, stop)))
    return found


def gram_is_cheaper(pairs: Pairs, tiles: Sequence[GramTile]) -> bool:
    """Whether the pairs are dense enough for the matrix product, which computes whole tiles."""
    cells = sum((tile.rows.stop - tile.rows.start) * (tile.columns.stop - tile.columns.start) for tile in tiles)
    return bool(_CELL_COST * cells < len(pairs))


def add_gram_squares(
    block: NDArray[Any],
    pairs: Pairs,
    tiles: Sequence[GramTile],
    out: NDArray[np.float64],
    norms: NDArray[np.float64],
    unit: float = 0.0,
) -> None:
    """Add the squared differences of all pairs over a block of columns.

    The columns are centered first, because |x - y|² = |x|² + |y|² - 2 x·y loses digits to a common mean. Whole
    multiples of a unit remain whole multiples, and their sums exact.

    Args:
        block: (n, w) some columns of each vector.
        pairs: P pairs of n images.
        tiles: the tiles of ``pairs``.
        out: (P,) the squared differences so far.
        norms: (n,) the squared norms of the centered vectors so far.
        unit: all values are whole multiples of it; 0 if there is no such number.
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

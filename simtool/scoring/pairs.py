"""The pairs of images whose distances the comparisons of trials need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.system.compiled import compiled
from simtool.tables.trials import Trials

__all__ = ["TILE", "ComparedPairs", "Pairs"]

#: Images in a tile of the matrix of pairs, as (first, second): a block of columns of that many vectors stays in the
#: processor's cache while the loop visits the pairs of the tile.
_HEIGHT_BITS, _WIDTH_BITS = 9, 7
TILE = (1 << _HEIGHT_BITS, 1 << _WIDTH_BITS)
#: Bytes of a number.
_NUMBER = 8
#: Numbers for each pair in addition to one for each sum: distance, error, rank, and the work of ranking.
_ARRAYS = 10


@dataclass(frozen=True)
class Pairs:
    """Distinct unordered pairs of ``images`` images, tile by tile.

    Attributes:
        images: n, of which the pairs are.
        first: (P,) the smaller index of each pair.
        second: (P,) the larger.
    """

    images: int
    first: NDArray[np.int32]
    second: NDArray[np.int32]

    @classmethod
    def of(cls, left: NDArray[np.int32], right: NDArray[np.int32], images: int) -> tuple[Pairs, NDArray[np.int32]]:
        """Collect distinct pairs; the given pairs may come in any order and direction, and repeatedly.

        Args:
            left: (E,) indices of images.
            right: (E,) indices of images.
            images: n.

        Returns:
            The distinct pairs, and the position of each given pair among them, (E,).
        """
        order = _tile_order(left, right, images)
        slots, first, second = _distinct(left, right, order)
        return cls(images, first, second), slots

    def __len__(self) -> int:
        return len(self.first)

    def take(self, positions: NDArray[np.integer[Any]]) -> Pairs:
        """Some of the pairs, in their order."""
        return Pairs(self.images, self.first[positions], self.second[positions])


@compiled
def _tile_order(left: NDArray[np.int32], right: NDArray[np.int32], images: int) -> NDArray[np.int32]:
    """The order of the pairs by tile, then by place within the tile: two passes of counting sort."""
    across = ((images - 1) >> _WIDTH_BITS) + 1
    tiles = (((images - 1) >> _HEIGHT_BITS) + 1) * across
    inner, outer = np.zeros((1 << _HEIGHT_BITS + _WIDTH_BITS) + 1, np.int64), np.zeros(tiles + 1, np.int64)
    place, tile = np.empty_like(left), np.empty_like(left)
    for item in range(left.size):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        place[item] = ((first & (TILE[0] - 1)) << _WIDTH_BITS) + (second & (TILE[1] - 1))
        tile[item] = (first >> _HEIGHT_BITS) * across + (second >> _WIDTH_BITS)
        inner[place[item] + 1] += 1
        outer[tile[item] + 1] += 1
    inner, outer = np.cumsum(inner), np.cumsum(outer)
    by_place, order = np.empty_like(left), np.empty_like(left)
    for item in range(left.size):
        by_place[inner[place[item]]] = item
        inner[place[item]] += 1
    for item in by_place:
        order[outer[tile[item]]] = item
        outer[tile[item]] += 1
    return order


@compiled
def _distinct(
    left: NDArray[np.int32], right: NDArray[np.int32], order: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Number the pairs in an order in which equal ones are neighbors: (numbers, first, second of each number)."""
    slots, first, second = np.empty_like(order), np.empty_like(order), np.empty_like(order)
    count = 0
    for item in order:
        low, high = min(left[item], right[item]), max(left[item], right[item])
        if count == 0 or first[count - 1] != low or second[count - 1] != high:
            first[count], second[count] = low, high
            count += 1
        slots[item] = count - 1
    return slots, first[:count].copy(), second[:count].copy()


@dataclass(frozen=True)
class ComparedPairs:
    """The pairs that have to be measured so that the comparisons of some trials can be judged.

    Attributes:
        trials: the trials.
        used: (n,) the positions in ``trials.images`` that occur in a comparison, ascending.
        pairs: the distinct pairs of used images.
        near: (C,) for each comparison, the position of (anchor, near) among the pairs.
        far: (C,) for each comparison, the position of (anchor, far) among the pairs.
    """

    trials: Trials
    used: NDArray[np.intp]
    pairs: Pairs
    near: NDArray[np.int32]
    far: NDArray[np.int32]

    @classmethod
    def of(cls, trials: Trials) -> ComparedPairs:
        """Collect the pairs of the comparisons that some trials imply."""
        found = Comparisons.of(trials)
        occurs = np.zeros(len(trials.images), bool)
        for codes in (found.anchor, found.near, found.far):
            occurs[codes] = True
        used = np.flatnonzero(occurs)
        number = (np.cumsum(occurs) - 1).astype(np.int32)
        # Comparisons that follow each other often share (anchor, near), which is then looked up once.
        changes = np.diff(found.anchor, prepend=-1) | np.diff(found.near, prepend=-1)
        runs = np.flatnonzero(changes)
        left = number[np.concatenate([found.anchor[runs], found.anchor])]
        right = number[np.concatenate([found.near[runs], found.far])]
        pairs, slots = Pairs.of(left, right, used.size)
        near = np.repeat(slots[: runs.size], np.diff(runs, append=len(found)))
        return cls(trials, used, pairs, near, slots[runs.size :])

    def footprint(self, distances: int) -> int:
        """The bytes that it takes to measure the pairs by some distances, and to judge and write the comparisons."""
        return len(self.pairs) * _NUMBER * (distances + _ARRAYS) + (len(self.trials) * 3 + len(self.near)) * _NUMBER

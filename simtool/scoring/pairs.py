"""Pairs of images, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads

__all__ = ["TILE", "TILE_ROW", "ComparedPairs", "Look", "PairNumbers", "Pairs", "bits_below", "key_of"]

Codes: TypeAlias = NDArray[np.int32]
#: The arrays in which compiled loops look up the number of a pair: see :class:`PairNumbers`.
Look: TypeAlias = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int32], NDArray[np.int64]]

#: Images in a tile of the matrix of pairs, as (first, second): a block of columns of that many vectors stays in the
#: processor's cache while the loop visits the pairs of the tile.
TILE_ROW, _WIDTH_BITS = 9, 7
TILE = (1 << TILE_ROW, 1 << _WIDTH_BITS)
#: Bits of a place within a tile, and words of 64 bits for them.
_PLACE_BITS = TILE_ROW + _WIDTH_BITS
_WORDS = 1 << _PLACE_BITS - 6
#: Bytes of bits, and of bits for each given pair, beyond which sorted keys take less memory.
_BYTES, _BYTES_EACH = 256 << 20, 128


@dataclass(frozen=True)
class Pairs:
    """Distinct unordered pairs of ``images`` images, tile by tile.

    Attributes:
        images: n, of which the pairs are.
        first: (P,) the smaller index of each pair.
        second: (P,) the larger.
    """

    images: int
    first: Codes
    second: Codes

    @classmethod
    def of(cls, left: Codes, right: Codes, images: int) -> tuple[Pairs, Codes]:
        """Collect distinct pairs; the given pairs may come in any order and direction, and repeatedly.

        Args:
            left: (E,) indices of images.
            right: (E,) indices of images.
            images: n.

        Returns:
            The distinct pairs, and the position of each given pair among them, (E,).
        """
        numbers, slots = PairNumbers.of(left, right, images), np.empty_like(left)
        in_threads(lambda start, stop: _slots(left, right, *numbers.look, slots, start, stop), left.size, least=1 << 12)
        return numbers.pairs, slots

    def __len__(self) -> int:
        return len(self.first)

    def take(self, positions: NDArray[np.integer[Any]]) -> Pairs:
        """Some of the pairs, in their order."""
        return Pairs(self.images, self.first[positions], self.second[positions])


@dataclass(frozen=True)
class PairNumbers:
    """Numbers of pairs of n images, for looking up a value of each pair.

    The number of a pair is its position in :attr:`pairs`: the rank of its bit among the bits of all pairs, or of its key
    among sorted keys where images are so many that bits would take more memory. Without bits and keys it is the place in
    an (n, n) matrix, of which the upper triangle is used.

    Attributes:
        images: n.
        tiles: (rows of tiles,) added to the column of a tile, it gives the number of the tile.
        bits: a bit for each place of each tile on or above the diagonal, or nothing.
        ranks: the number of bits before each word of bits.
        keys: (P,) the place of each pair among those of all tiles, ascending, or nothing.
    """

    images: int
    tiles: NDArray[np.int64]
    bits: NDArray[np.uint64]
    ranks: NDArray[np.int32]
    keys: NDArray[np.int64]

    @classmethod
    def matrix(cls, images: int) -> PairNumbers:
        """Every pair of n images, by its place in a matrix."""
        return cls(images, _tiles(images), np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int64))

    @classmethod
    def of(cls, left: Codes, right: Codes, images: int) -> PairNumbers:
        """Number pairs that may come in any order and direction, and repeatedly; see :meth:`Pairs.of`."""
        empty = cls.matrix(images)
        words = (int(empty.tiles[-1]) + ((images - 1) >> _WIDTH_BITS) + 1) * _WORDS
        if 12 * words > min(_BYTES, _BYTES_EACH * left.size):
            return cls(images, empty.tiles, empty.bits, empty.ranks, np.unique(_keys(left, right, empty.tiles)))
        bits = np.zeros(words, np.uint64)
        _mark(left, right, empty.tiles, bits)
        return cls(images, empty.tiles, bits, _ranked(bits), empty.keys)

    @property
    def look(self) -> Look:
        """The arguments of compiled loops."""
        return self.tiles, self.bits, self.ranks, self.keys

    @property
    def dense(self) -> bool:
        """Whether the numbers are places in a matrix."""
        return not self.bits.size and not self.keys.size

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs in the order of their numbers, (P,)."""
        keys = _places(self.bits, self.ranks) if self.bits.size else self.keys
        return Pairs(self.images, *_ends(keys, self.tiles))


def _tiles(images: int) -> NDArray[np.int64]:
    """See :class:`PairNumbers`; tiles are numbered row by row, from the diagonal on."""
    first = np.arange(((images - 1) >> TILE_ROW) + 1) << TILE_ROW - _WIDTH_BITS
    across = ((images - 1) >> _WIDTH_BITS) + 1
    tiles: NDArray[np.int64] = np.cumsum(across - first) - (across - first) - first
    return tiles


@compiled
def key_of(first: int, second: int, tiles: int) -> int:
    """The place of a pair among those of all tiles, from its smaller and its larger index and the row of tiles."""
    tile = tiles + (second >> _WIDTH_BITS)
    return (tile << _PLACE_BITS) | ((first & (TILE[0] - 1)) << _WIDTH_BITS) | (second & (TILE[1] - 1))


@compiled
def _keys(left: Codes, right: Codes, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
    keys = np.empty(left.size, np.int64)
    for item in range(left.size):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        keys[item] = key_of(first, second, tiles[first >> TILE_ROW])
    return keys


@compiled
def _mark(left: Codes, right: Codes, tiles: NDArray[np.int64], bits: NDArray[np.uint64]) -> None:
    for item in range(left.size):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        key = key_of(first, second, tiles[first >> TILE_ROW])
        bits[key >> 6] |= np.uint64(1) << np.uint64(key & 63)


@compiled
def _count(word: np.uint64) -> int:
    """The number of bits that are set; compilers know these lines as one instruction."""
    twos = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (twos & np.uint64(0x3333333333333333)) + ((twos >> np.uint64(2)) & np.uint64(0x3333333333333333))
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((eights * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def _ranked(bits: NDArray[np.uint64]) -> NDArray[np.int32]:
    ranks, total = np.empty(bits.size + 1, np.int32), 0
    for place in range(bits.size):
        ranks[place] = total
        total += _count(bits[place])
    ranks[bits.size] = total
    return ranks


@compiled
def _places(bits: NDArray[np.uint64], ranks: NDArray[np.int32]) -> NDArray[np.int64]:
    """The keys of all bits that are set, ascending."""
    keys = np.empty(ranks[-1], np.int64)
    for place in range(bits.size):
        word, rank = bits[place], ranks[place]
        while word:
            rest = word & (word - np.uint64(1))
            keys[rank] = (place << 6) + _count((word ^ rest) - np.uint64(1))
            word, rank = rest, rank + 1
    return keys


@compiled
def _ends(keys: NDArray[np.int64], tiles: NDArray[np.int64]) -> tuple[Codes, Codes]:
    """The two images of each key; keys are ascending."""
    first, second = np.empty(keys.size, np.int32), np.empty(keys.size, np.int32)
    row = 0
    for item in range(keys.size):
        tile, place = keys[item] >> _PLACE_BITS, keys[item] & ((1 << _PLACE_BITS) - 1)
        while row + 1 < tiles.size and tile >= tiles[row + 1] + ((row + 1) << TILE_ROW - _WIDTH_BITS):
            row += 1
        first[item] = (row << TILE_ROW) + (place >> _WIDTH_BITS)
        second[item] = ((tile - tiles[row]) << _WIDTH_BITS) + (place & (TILE[1] - 1))
    return first, second


@compiled
def bits_below(word: np.uint64, key: int) -> int:
    """The number of bits in the word of a key that are below the bit of the key."""
    return _count(word & ((np.uint64(1) << np.uint64(key & 63)) - np.uint64(1)))


@compiled
def _slots(
    left: Codes,
    right: Codes,
    tiles: NDArray[np.int64],
    bits: NDArray[np.uint64],
    ranks: NDArray[np.int32],
    keys: NDArray[np.int64],
    slots: Codes,
    start: int,
    stop: int,
) -> None:
    for item in range(start, stop):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        key = key_of(first, second, tiles[first >> TILE_ROW])
        if bits.size:
            slots[item] = ranks[key >> 6] + bits_below(bits[key >> 6], key)
        else:
            slots[item] = np.searchsorted(keys, key)


@dataclass(frozen=True)
class ComparedPairs:
    """The pairs that some comparisons compare.

    Attributes:
        pairs: the distinct pairs.
        near: (C,) for each comparison, the position of (anchor, near) among the pairs.
        far: (C,) for each comparison, the position of (anchor, far) among the pairs.
    """

    pairs: Pairs
    near: Codes
    far: Codes

    @classmethod
    def of(cls, comparisons: Comparisons, number: Codes, images: int) -> ComparedPairs:
        """Collect the pairs of some comparisons.

        Args:
            comparisons: C comparisons.
            number: the index of each image among the n images of the pairs, by its position in ``Trials.images``.
            images: n.
        """
        # Comparisons that follow each other often share (anchor, near), which is then looked up once.
        runs = np.flatnonzero(np.diff(comparisons.anchor, prepend=-1) | np.diff(comparisons.near, prepend=-1))
        left = number[np.concatenate([comparisons.anchor[runs], comparisons.anchor])]
        right = number[np.concatenate([comparisons.near[runs], comparisons.far])]
        pairs, slots = Pairs.of(left, right, images)
        near = np.repeat(slots[: runs.size], np.diff(runs, append=len(comparisons)))
        return cls(pairs, near, slots[runs.size :])

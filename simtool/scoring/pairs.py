"""Pairs of images, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads

__all__ = ["TILE", "Codes", "ComparedPairs", "PairNumbers", "Pairs", "look_up"]

Codes: TypeAlias = NDArray[np.int32]
Keys: TypeAlias = NDArray[np.int64]

#: Images in a tile of the matrix of pairs, as (first, second): a block of columns of that many vectors stays in the
#: processor's cache while the loop visits the pairs of the tile.
_HEIGHT_BITS, _WIDTH_BITS = 9, 7
TILE = (1 << _HEIGHT_BITS, 1 << _WIDTH_BITS)
_PLACE_BITS = _HEIGHT_BITS + _WIDTH_BITS
#: The least number of words of bits for a thread.
_WORDS = 1 << 12
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
        numbers = PairNumbers.of(left, right, images)
        slots = np.empty(left.size, np.int64)
        in_threads(
            lambda start, stop: look_up(numbers, left[start:stop], right[start:stop], slots[start:stop]), left.size
        )
        return numbers.pairs(), slots.astype(np.int32)

    def __len__(self) -> int:
        return len(self.first)

    def take(self, positions: NDArray[np.integer[Any]]) -> Pairs:
        """Some of the pairs, in their order."""
        return Pairs(self.images, self.first[positions], self.second[positions])


class PairNumbers(NamedTuple):
    """Numbers of pairs of n images, to look up a value of each pair.

    A key is the place of a pair among the places of all tiles on or above the diagonal, tile by tile. The number of a
    pair is the rank of its key: the bits of all keys tell it, or, of so many images that bits would take more memory,
    the sorted keys. Without either, the number is the place in an (n, n) matrix, on or above the diagonal.

    Attributes:
        images: n.
        tiles: for each row of tiles, the number of a tile less its column.
        bits: a bit for each key, in words of 64, or nothing.
        ranks: the number of bits before each word, and of all.
        keys: (P,) ascending, or nothing.
    """

    images: int
    tiles: Keys
    bits: NDArray[np.uint64]
    ranks: Codes
    keys: Keys

    @classmethod
    def matrix(cls, images: int) -> Self:
        """Number all pairs of n images by their places in a matrix."""
        first = np.arange(((images - 1) >> _HEIGHT_BITS) + 1) << _HEIGHT_BITS - _WIDTH_BITS
        across = ((images - 1 >> _WIDTH_BITS) + 1) - first
        nothing = np.empty(0, np.int64)
        return cls(
            images, np.cumsum(across) - across - first, nothing.astype(np.uint64), nothing.astype(np.int32), nothing
        )

    @classmethod
    def of(cls, left: Codes, right: Codes, images: int) -> Self:
        """Number pairs that may come in any order and direction, and repeatedly; see :meth:`Pairs.of`."""
        empty = cls.matrix(images)
        words = (int(empty.tiles[-1]) + (images - 1 >> _WIDTH_BITS) + 1) << _PLACE_BITS - 6
        if 12 * words > min(_BYTES, _BYTES_EACH * left.size):
            return empty._replace(keys=np.unique(_keys(left, right, empty.tiles)))
        bits, ranks = np.zeros(words, np.uint64), np.empty(words + 1, np.int32)
        _mark(left, right, empty.tiles, bits, ranks)
        return empty._replace(bits=bits, ranks=ranks)

    @property
    def dense(self) -> bool:
        """Whether the numbers are places in a matrix."""
        return not self.bits.size and not self.keys.size

    def pairs(self) -> Pairs:
        """The pairs in the order of their numbers, (P,)."""
        count = int(self.ranks[-1]) if self.bits.size else self.keys.size
        first, second = np.empty(count, np.int32), np.empty(count, np.int32)
        if self.bits.size:
            bits = self.bits, self.ranks, self.tiles
            in_threads(lambda start, stop: _ends_of_bits(*bits, first, second, start, stop), self.bits.size, _WORDS)
        else:
            _ends_of_keys(self.keys, self.tiles, first, second)
        return Pairs(self.images, first, second)


@compiled
def look_up(numbers: PairNumbers, left: NDArray[Any], right: NDArray[Any], out: Keys) -> None:
    """Look up the numbers of pairs, (E,)."""
    images, tiles, bits, ranks, keys = numbers
    for item in range(out.size):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        if bits.size:
            key = _key(first, second, tiles[first >> _HEIGHT_BITS])
            below = (np.uint64(1) << np.uint64(key & 63)) - np.uint64(1)
            out[item] = ranks[key >> 6] + _count(bits[key >> 6] & below)
        elif keys.size:
            out[item] = np.searchsorted(keys, _key(first, second, tiles[first >> _HEIGHT_BITS]))
        else:
            out[item] = np.int64(first) * images + second


@compiled
def _key(first: int, second: int, tiles: int) -> int:
    place = (first & (TILE[0] - 1)) << _WIDTH_BITS | second & (TILE[1] - 1)
    return (tiles + (second >> _WIDTH_BITS)) << _PLACE_BITS | place


@compiled
def _keys(left: Codes, right: Codes, tiles: Keys) -> Keys:
    keys = np.empty(left.size, np.int64)
    for item in range(left.size):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        keys[item] = _key(first, second, tiles[first >> _HEIGHT_BITS])
    return keys


@compiled
def _mark(left: Codes, right: Codes, tiles: Keys, bits: NDArray[np.uint64], ranks: Codes) -> None:
    """Set the bits of the keys of pairs, and count them."""
    for item in range(left.size):
        first, second = min(left[item], right[item]), max(left[item], right[item])
        key = _key(first, second, tiles[first >> _HEIGHT_BITS])
        bits[key >> 6] |= np.uint64(1) << np.uint64(key & 63)
    total = 0
    for place in range(bits.size):
        ranks[place] = total
        total += _count(bits[place])
    ranks[bits.size] = total


@compiled
def _ends_of_bits(
    bits: NDArray[np.uint64], ranks: Codes, tiles: Keys, first: Codes, second: Codes, start: int, stop: int
) -> None:
    """The images of each pair whose bit is set in some of the words, by ascending keys."""
    row, item = 0, ranks[start]
    for place in range(start, stop):
        word = bits[place]
        while word:
            rest = word & (word - np.uint64(1))
            key = (place << 6) + _count((word ^ rest) - np.uint64(1))
            row = _row(key, tiles, row)
            first[item], second[item] = _ends(key, tiles, row)
            word, item = rest, item + 1


@compiled
def _ends_of_keys(keys: Keys, tiles: Keys, first: Codes, second: Codes) -> None:
    """The images of each pair, by ascending keys."""
    row = 0
    for item in range(keys.size):
        row = _row(keys[item], tiles, row)
        first[item], second[item] = _ends(keys[item], tiles, row)


@compiled
def _row(key: int, tiles: Keys, row: int) -> int:
    """The row of tiles of a key, which is not before ``row``."""
    tile = key >> _PLACE_BITS
    while row + 1 < tiles.size and tile >= tiles[row + 1] + ((row + 1) << _HEIGHT_BITS - _WIDTH_BITS):
        row += 1
    return row


@compiled
def _ends(key: int, tiles: Keys, row: int) -> tuple[int, int]:
    """The first and the second image of a key in a row of tiles."""
    tile, place = key >> _PLACE_BITS, key & ((1 << _PLACE_BITS) - 1)
    return (row << _HEIGHT_BITS) + (place >> _WIDTH_BITS), ((tile - tiles[row]) << _WIDTH_BITS) + (
        place & (TILE[1] - 1)
    )


@compiled
def _count(word: np.uint64) -> int:
    """The number of bits that are set; the compiler makes one instruction of these lines."""
    twos = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (twos & np.uint64(0x3333333333333333)) + ((twos >> np.uint64(2)) & np.uint64(0x3333333333333333))
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((eights * np.uint64(0x0101010101010101)) >> np.uint64(56))


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
        left = number[np.concatenate([comparisons.anchor, comparisons.anchor])]
        pairs, slots = Pairs.of(left, number[np.concatenate([comparisons.near, comparisons.far])], images)
        return cls(pairs, *slots.reshape(2, -1))

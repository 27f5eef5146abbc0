"""Sums over groups of observations, from sorted entries, in memory that does not grow with the number of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.values import Values
from simtool.system.compiled import compiled

__all__ = ["Entries", "Influence", "order_of"]

#: Number of sums in memory at once.
BLOCK = 4096


def order_of(code: NDArray[np.integer], size: int) -> NDArray[np.int32]:
    """The positions of codes, (N,), from the least code to the greatest; equal codes keep their order."""
    return Entries.of([[code]], size).members


@dataclass(frozen=True)
class Entries:
    """The members of groups, group by group. The members of a group ascend.

    Attributes:
        key: (E,) group and member, packed into one integer, because integers sort fastest.
        shift: the number of bits of a member.
    """

    key: NDArray[np.uint64]
    shift: int

    @classmethod
    def of(
        cls,
        groups: Sequence[Sequence[NDArray[np.integer]] | NDArray[np.integer]],
        count: int,
        kept: Sequence[NDArray[np.bool_]] | None = None,
    ) -> Entries:
        """Group N members by some numbers that they have.

        Args:
            groups: for each of a member's groups, the columns of its numbers, (N,) each.
            count: a number that all numbers are less than; they are at least 0.
            kept: for each of a member's groups, the members that are in it, (N,); None for all.
        """
        members = len(groups[0][0])
        shift = max(members - 1, 1).bit_length()
        if (max(count, 1) ** len(groups[0])).bit_length() + shift > 64:
            codes, count = _numbered(groups, count)
            groups = [[code] for code in codes]
        key = np.empty((len(groups), members), np.uint64)
        for start in range(0, members, BLOCK):
            part = slice(start, min(start + BLOCK, members))
            number = np.arange(part.start, part.stop, dtype=np.uint64)
            for own, (first, *others) in zip(key[:, part], groups, strict=True):
                own[:] = first[part]
                for column in others:
                    own *= np.uint64(count)
                    own += column[part].astype(np.uint64)
                own <<= np.uint64(shift)
                own |= number
        flat = key.reshape(-1) if kept is None else key[np.stack(kept)]
        flat.sort()
        return cls(flat, shift)

    @property
    def members(self) -> NDArray[np.int32]:
        """(E,) positions of members."""
        return (self.key & np.uint64((1 << self.shift) - 1)).astype(np.int32)

    @property
    def first(self) -> NDArray[np.bool_]:
        """(E,) whether an entry is the first of its group."""
        group = self.key >> np.uint64(self.shift)
        first = np.ones(len(group), bool)
        np.not_equal(group[1:], group[:-1], out=first[1:])
        return first


def _numbered(
    groups: Sequence[Sequence[NDArray[np.integer]] | NDArray[np.integer]], count: int
) -> tuple[NDArray[np.integer], int]:
    """Number the distinct groups from 0, in the order of their numbers: (groups, N) codes, and how many there are."""
    columns = [np.stack(column) for column in zip(*groups, strict=True)]
    code = columns[0]
    for column in columns[1:]:
        code = np.unique(code.astype(np.uint64) * np.uint64(count) + column.astype(np.uint64), return_inverse=True)[1]
    return code, int(code.max(initial=0)) + 1


class Influence:
    """The influence of n observations on M means, without a matrix of it.

    The influence of observation i on mean m is psi_im = weight_i (value_im - mean_m) / (sum of weights). A last column
    holds weight_i / (sum of weights), so that products of sums also tell which share of all pairs they cover.

    Args:
        values: n values of M models.
        weight: (n,).
    """

    def __init__(self, values: Values, weight: NDArray[np.float64]) -> None:
        self._values = values.multiples
        self._weight = weight
        self._mean = values.mean(weight) / values.unit
        scale = np.append(np.full(values.models, values.unit), 1.0) / (weight.sum() or 1.0)
        self._scale = np.outer(scale, scale)

    def products(self) -> NDArray[np.float64]:
        """The sum of psi_i psi_i' over the observations, (M + 1, M + 1)."""
        buffer, product = self._room()
        for start in range(0, len(self._weight), BLOCK):
            part = slice(start, start + BLOCK)
            own = buffer[: len(self._weight[part])]
            _influence(self._values[part], self._weight[part], self._mean, own)
            product += own.T @ own
        return product * self._scale

    def products_between(self, entries: Entries, part: NDArray[np.integer]) -> NDArray[np.float64]:
        """The sum of psi_i psi_j' over the pairs i, j that share a group but not a part, (M + 1, M + 1).

        For each group, (sum over the group)(sum over the group)' minus the same products of its parts.

        Args:
            entries: groups of observations. A pair counts once for each group that it shares.
            part: (n,) the part that each observation belongs to; ascending.
        """
        buffer, product = self._room()
        sign, whole = np.empty(BLOCK), np.zeros(buffer.shape[1])
        start, inside = 0, False
        while start < len(entries.key):
            start, inside, used = _sums_of_parts(
                entries.key,
                np.uint64(entries.shift),
                part,
                self._values,
                self._weight,
                self._mean,
                start,
                inside,
                whole,
                buffer,
                sign,
            )
            sums = buffer[:used]
            product += (sums * sign[:used, None]).T @ sums
        return product * self._scale

    def _room(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A buffer for sums, and a product of zeros."""
        columns = len(self._mean) + 1
        return np.empty((BLOCK, columns)), np.zeros((columns, columns))


@compiled
def _influence(
    values: NDArray[np.number], weight: NDArray[np.float64], mean: NDArray[np.float64], influence: NDArray[np.float64]
) -> None:
    """Fill the influence of some observations, not yet divided by the sum of weights."""
    for at in range(weight.size):
        row, own = values[at], influence[at]
        for column in range(mean.size):
            own[column] = weight[at] * (row[column] - mean[column])
        own[mean.size] = weight[at]


@compiled
def _sums_of_parts(
    key: NDArray[np.uint64],
    shift: np.uint64,
    part: NDArray[np.integer],
    values: NDArray[np.number],
    weight: NDArray[np.float64],
    mean: NDArray[np.float64],
    start: int,
    inside: bool,
    whole: NDArray[np.float64],
    sums: NDArray[np.float64],
    sign: NDArray[np.float64],
) -> tuple[int, bool, int]:
    """Fill ``sums``, (K, M + 1), with the sums over parts (sign -1) and groups (sign 1), from an entry on.

    Groups of a single part are skipped. ``whole`` holds the sum over the parts of a group that is not complete.

    Returns:
        The next entry, whether it continues a group, and the number of sums.
    """
    columns = mean.size
    mask = (np.uint64(1) << shift) - np.uint64(1)
    used = 0
    while start < key.size and used + 2 <= len(sums):
        group, own = key[start] >> shift, part[key[start] & mask]
        if not inside:
            stop = start + 1
            while stop < key.size and key[stop] >> shift == group:
                stop += 1
            if stop == start + 1 or part[key[stop - 1] & mask] == own:
                start = stop
                continue
        some = sums[used]
        some[:] = 0
        while start < key.size and key[start] >> shift == group and part[key[start] & mask] == own:
            member = key[start] & mask
            row, scale = values[member], weight[member]
            for column in range(columns):
                some[column] += scale * (row[column] - mean[column])
            some[columns] += scale
            start += 1
        sign[used] = -1
        used += 1
        for column in range(columns + 1):
            whole[column] += some[column]
        inside = start < key.size and key[start] >> shift == group
        if not inside:
            sums[used] = whole
            sign[used] = 1
            used += 1
            whole[:] = 0
    return start, inside, used

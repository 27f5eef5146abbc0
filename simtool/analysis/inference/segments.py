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
    """The influence of n observations on M means in S strata, without a matrix of it.

    The influence of observation i of a stratum on mean m is psi_im = weight_i (value_im - mean_m) / (sum of weights),
    with the mean and the weights of the stratum. A last column holds weight_i / (sum of weights), so that products of
    sums also tell which share of all pairs they cover.

    Args:
        values: n values of M models.
        weight: (n,).
        cell: (n,) the cell of each observation, counted from 0.
        pooled: (cells, S) whether a stratum pools a cell.
    """

    def __init__(
        self, values: Values, weight: NDArray[np.float64], cell: NDArray[np.integer], pooled: NDArray[np.bool_]
    ) -> None:
        self._values, self._weight, self._cell, self._pooled = values.multiples, weight, cell, pooled
        sums = pooled.T.astype(float) @ values.sums(weight, cell, len(pooled))
        total = np.where(sums[:, -1] > 0, sums[:, -1], 1)[:, np.newaxis]
        self._means = sums[:, :-1] / total
        scale = np.ones((len(total), values.models + 1)) / total
        scale[:, :-1] *= values.unit
        self._scale = scale[:, :, np.newaxis] * scale[:, np.newaxis]

    def products(self) -> NDArray[np.float64]:
        """The sum of psi_i psi_i' over the observations of each stratum, (S, M + 1, M + 1)."""
        found = [
            self._product(np.flatnonzero(strata[self._cell]), mean)
            for strata, mean in zip(self._pooled.T, self._means, strict=True)
        ]
        return np.stack(found) * self._scale

    def _product(self, rows: NDArray[np.intp], mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of products of some observations around a mean, not yet divided by the sums of weights."""
        buffer = np.empty((BLOCK, len(mean) + 1))
        product = np.zeros((len(mean) + 1, len(mean) + 1))
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            own = buffer[: len(some)]
            _influence(self._values, self._weight, some, mean, own)
            product += own.T @ own
        return product

    def products_of_pairs(self, entries: Entries, part: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """The sum of psi_i psi_j' over the pairs i, j that share a group, in each stratum, (S, M + 1, M + 1).

        Args:
            entries: groups of observations. A pair counts once for each group that it shares.
            part: (n,) the part that each observation belongs to; ascending. Pairs that share a part do not count: the
                products of the sums over the parts of a group are subtracted from that of the sum over the group.
        """
        product = np.zeros(self._scale.shape)
        apart = part is not None
        _add_products(
            entries.key,
            np.uint64(entries.shift),
            np.empty(0, np.int32) if part is None else part,
            apart,
            self._values,
            self._weight,
            self._cell,
            self._pooled,
            self._means,
            product,
        )
        return product * self._scale


@compiled
def _influence(
    values: NDArray[np.number],
    weight: NDArray[np.float64],
    rows: NDArray[np.integer],
    mean: NDArray[np.float64],
    influence: NDArray[np.float64],
) -> None:
    """Fill the influence of some observations, not yet divided by the sum of weights."""
    for at in range(rows.size):
        row, scale, own = values[rows[at]], weight[rows[at]], influence[at]
        for column in range(mean.size):
            own[column] = scale * (row[column] - mean[column])
        own[mean.size] = scale


@compiled
def _add_products(
    key: NDArray[np.uint64],
    shift: np.uint64,
    part: NDArray[np.integer],
    apart: bool,
    values: NDArray[np.number],
    weight: NDArray[np.float64],
    cell: NDArray[np.integer],
    pooled: NDArray[np.bool_],
    mean: NDArray[np.float64],
    product: NDArray[np.float64],
) -> None:
    """Add the products of the sums over groups, and subtract those of the sums over their parts if ``apart``.

    A stratum that has observations in a single part of a group has no pairs there, and is skipped.
    """
    strata, columns = mean.shape
    mask = (np.uint64(1) << shift) - np.uint64(1)
    sums, used, cells = (
        np.zeros((len(pooled), columns + 1)),
        np.zeros(len(pooled), np.bool_),
        np.zeros(len(pooled), np.int64),
    )
    own, whole, parts = np.zeros(columns + 1), np.zeros((strata, columns + 1)), np.zeros(strata, np.int64)
    start = 0
    while start < key.size:
        group, stop = key[start] >> shift, start + 1
        while stop < key.size and key[stop] >> shift == group:
            stop += 1
        if apart and (stop == start + 1 or part[key[start] & mask] == part[key[stop - 1] & mask]):
            start = stop
            continue
        parts[:] = 0
        while start < stop:
            last = part[key[start] & mask] if apart else 0
            found = 0
            while start < stop and (not apart or part[key[start] & mask] == last):
                member = key[start] & mask
                at = cell[member]
                if not used[at]:
                    used[at] = True
                    sums[at] = 0
                    cells[found] = at
                    found += 1
                row, scale, some = values[member], weight[member], sums[at]
                for column in range(columns):
                    some[column] += scale * row[column]
                some[columns] += scale
                start += 1
            for stratum in range(strata):
                own[:] = 0
                count = 0
                for place in range(found):
                    at = cells[place]
                    if pooled[at, stratum]:
                        count += 1
                        for column in range(columns + 1):
                            own[column] += sums[at, column]
                if not count:
                    continue
                for column in range(columns):
                    own[column] -= own[columns] * mean[stratum, column]
                if parts[stratum] == 1:
                    _add_product(product, stratum, whole[stratum], -1.0)
                if parts[stratum]:
                    _add_product(product, stratum, own, -1.0)
                    for column in range(columns + 1):
                        whole[stratum, column] += own[column]
                else:
                    for column in range(columns + 1):
                        whole[stratum, column] = own[column]
                parts[stratum] += 1
            for place in range(found):
                used[cells[place]] = False
        for stratum in range(strata):
            if parts[stratum] > apart:
                _add_product(product, stratum, whole[stratum], 1.0)


@compiled
def _add_product(product: NDArray[np.float64], stratum: int, row: NDArray[np.float64], sign: float) -> None:
    """Add sign * row row' to the matrix of a stratum."""
    for one in range(row.size):
        scaled = sign * row[one]
        for other in range(row.size):
            product[stratum, one, other] += scaled * row[other]

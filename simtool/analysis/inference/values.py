"""Values of observations for several models, in as few bytes as they need."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.system.compiled import compiled
from simtool.system.threads import available_cores, in_threads

__all__ = ["Values", "mean_of"]

#: Rows that are copied at a time, so that they stay in the cache of the CPU.
_STEP = 1 << 14


def mean_of(values: NDArray[np.floating], weight: NDArray[np.float64] | None) -> float:
    """The mean of values, (N,), with weights, (N,); None for equal weights."""
    return float(values.mean(dtype=np.float64) if weight is None else np.average(values, weights=weight))


@dataclass(frozen=True)
class Values:
    """N values for each of M models, row by row.

    Attributes:
        multiples: (N, M) the values as multiples of the unit: whole numbers in one byte, or floating point.
        unit: a power of two, so that sums of multiples are exact where sums of values are.
    """

    multiples: NDArray[np.number]
    unit: float = 1.0

    @classmethod
    def of(cls, columns: Sequence[NDArray[np.floating]]) -> Values:
        """The values of columns, (N,) each: in halves, if all are whole multiples of one half, like most credit."""
        with ThreadPoolExecutor(available_cores()) as pool:
            whole = all(pool.map(_are_halves, columns))
        values = np.empty((len(columns[0]), len(columns)), np.uint8 if whole else np.result_type(*columns))

        def fill(first: int, last: int) -> None:
            for start in range(first, last, _STEP):
                rows = slice(start, min(start + _STEP, last))
                for at, column in enumerate(columns):
                    values[rows, at] = 2 * column[rows] if whole else column[rows]

        in_threads(fill, len(values), _STEP)
        return cls(values, 0.5 if whole else 1.0)

    def __len__(self) -> int:
        return len(self.multiples)

    @property
    def are_halves(self) -> bool:
        """Whether all values are known to be whole multiples of one half."""
        return self.multiples.dtype == np.uint8

    @property
    def models(self) -> int:
        """M."""
        return int(self.multiples.shape[1])

    def take(self, rows: NDArray[np.integer] | slice) -> Values:
        """Some of the rows."""
        if isinstance(rows, slice):
            return Values(self.multiples[rows], self.unit)
        some = np.empty((len(rows), self.models), self.multiples.dtype)

        def fill(start: int, stop: int) -> None:
            self.multiples.take(rows[start:stop], axis=0, out=some[start:stop], mode="clip")  # a check needs a copy

        in_threads(fill, len(rows), _STEP)
        return Values(some, self.unit)

    def fractions(self, inside: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Count the values between 0 and 1 in each column, (M,); only in the rows ``inside``, if given."""
        return np.asarray(_between(self.multiples, np.ones(len(self), bool) if inside is None else inside, self.unit))

    def first_equal(self, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
        """For each column the first column that has the same values in the rows ``inside``, (M,)."""
        return np.asarray(_first_equal(self.multiples, inside))

    def sums(self, weight: NDArray[np.float64], cell: NDArray[np.integer], cells: int) -> NDArray[np.float64]:
        """The weighted sums of the multiples in each cell, and the sums of weights in a last column, (cells, M + 1).

        Args:
            weight: (N,).
            cell: (N,) the cell of each row, counted from 0.
            cells: number of cells.
        """
        return np.asarray(_sums(self.multiples, weight, cell, cells))

    def mean(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """The means of the columns with weights, (N,); (M,). They are NaN if there is no weight."""
        (sums,) = self.sums(weight, np.zeros(len(self), np.int32), 1)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.unit * sums[:-1] / sums[-1])


def _are_halves(column: NDArray[np.floating]) -> bool:
    """Whether all values, which are from 0 to 1, are multiples of one half."""
    steps = (column[start : start + _STEP] for start in range(0, len(column), _STEP))
    return all(bool((np.rint(2 * some) == 2 * some).all()) for some in steps)


@compiled
def _between(values: NDArray[np.number], inside: NDArray[np.bool_], unit: float) -> NDArray[np.int64]:
    """Count the multiples of a unit that are between 0 and 1, in each column."""
    counts = np.zeros(values.shape[1], np.int64)
    for at in range(inside.size):
        if inside[at]:
            row = values[at]
            for column in range(counts.size):
                counts[column] += (row[column] > 0) & (unit * row[column] < 1)
    return counts


@compiled
def _first_equal(values: NDArray[np.number], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Split the columns into groups, row by row, until each group is a single column or the rows are done."""
    columns = values.shape[1]
    first = np.zeros(columns, np.int64)
    alone = columns == 1
    for at in range(inside.size):
        if alone:
            break
        if not inside[at]:
            continue
        row, before = values[at], first.copy()
        alone = True
        for column in range(columns):
            for other in range(column + 1):
                if before[other] == before[column] and row[other] == row[column]:
                    first[column] = other
                    break
            alone &= first[column] == column
    return first


@compiled
def _sums(
    values: NDArray[np.number], weight: NDArray[np.float64], cell: NDArray[np.integer], cells: int
) -> NDArray[np.float64]:
    """The weighted sums of the columns, and of the weights, in each cell."""
    columns = values.shape[1]
    sums = np.zeros((cells, columns + 1))
    for at in range(weight.size):
        row, own, scale = values[at], sums[cell[at]], weight[at]
        for column in range(columns):
            own[column] += scale * row[column]
        own[columns] += scale
    return sums

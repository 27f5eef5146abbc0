"""Means within strata, with their standard errors and replicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from simtool.analysis.inference.bootstrap import Sampled, resample
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.multiway import Covariance, covariance
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values
from simtool.analysis.strata import Mask, cells_of
from simtool.system.threads import available_cores

__all__ = ["Measured", "Progress", "estimate", "silent"]

#: Opens a display of the progress of a number of observations. The yielded function takes the number that is done.
Progress: TypeAlias = Callable[[int], AbstractContextManager[Callable[[int], object]]]

#: Cells that a stratum pools.
Cells: TypeAlias = tuple[int, ...]


def silent(_total: int) -> AbstractContextManager[Callable[[int], object]]:
    """Show no progress."""
    return nullcontext(lambda _done: None)


@dataclass(frozen=True)
class Measured:
    """Values of observations, whose means are estimated in strata.

    Attributes:
        observations: N observations.
        values: N values of M models.
        strata: masks of the observations, (N,) each. They may overlap.
        weight: (N,) weight of each observation; None for equal weights.
    """

    observations: Observations
    values: Values
    strata: Sequence[Mask]
    weight: NDArray[np.float64] | None = None

    def mean(self, mask: Mask) -> NDArray[np.float64]:
        """The means of the columns in a stratum, (M,)."""
        rows = np.flatnonzero(mask)
        return self.values.take(rows).mean(np.ones(len(rows)) if self.weight is None else self.weight[rows])


def estimate(
    measured: Sequence[Measured], replicates: int, seed: int, progress: Progress = silent
) -> list[list[Estimates]]:
    """Estimate means: one result for each stratum of each set of values.

    All observations count in the means. Standard errors and replicates use the informative observations only
    (:meth:`Observations.informative`).

    Args:
        measured: values of observations that share their clusters and images.
        replicates: number of replicates.
        seed: seed of the replicates.
        progress: opens a display of the progress, in observations.
    """
    if not measured:
        return []
    informative = [_Informative(each) for each in measured]
    # The products are too small to gain from threads of BLAS, and their number changes the last bits of sums.
    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(available_cores()) as pool,
        progress(sum(each.work for each in informative)) as advance,
    ):
        errors: list[dict[Cells, tuple[Covariance, int]]] = []
        for each in informative:
            errors.append({})
            for cells in dict.fromkeys(each.cells):
                errors[-1][cells] = each.error(cells, pool)
                advance(each.size(cells))
        drawn = resample([each.sampled for each in informative], replicates, seed, pool, advance)
    return [
        [
            Estimates(each.mean(mask), own[cells][0], sums.means(list(cells)), own[cells][1])
            for mask, cells in zip(each.strata, found.cells, strict=True)
        ]
        for each, found, own, sums in zip(measured, informative, errors, drawn, strict=True)
    ]


class _Informative:
    """The informative observations among those that were measured, partitioned into cells.

    Attributes:
        cells: the cells that each stratum pools.
    """

    def __init__(self, measured: Measured) -> None:
        informative = measured.observations.informative(measured.weight)
        rows = slice(None) if informative.all() else np.flatnonzero(informative)  # a slice copies nothing
        self._observations, self._values = measured.observations.take(rows), measured.values.take(rows)
        self._weight = None if measured.weight is None else measured.weight[rows]
        self._cell, pooled = cells_of([mask[rows] for mask in measured.strata])
        self._sizes = np.bincount(self._cell, minlength=1)
        self.cells: list[Cells] = [tuple(cells.tolist()) for cells in pooled]

    def size(self, cells: Cells) -> int:
        """The number of observations in some cells."""
        return int(self._sizes[list(cells)].sum())

    @property
    def work(self) -> int:
        """The number of observations in all computations: in those of errors, and in resampling."""
        return len(self._observations) + sum(self.size(cells) for cells in set(self.cells))

    def error(self, cells: Cells, pool: Executor) -> tuple[Covariance, int]:
        """The covariance of the means over some cells pooled, and the effective size of their sample."""
        inside = np.zeros(len(self._sizes), bool)
        inside[list(cells)] = True
        part = slice(None) if inside.all() else np.flatnonzero(inside[self._cell])
        observations, values = self._observations.take(part), self._values.take(part)
        weight = None if self._weight is None else self._weight[part]
        return covariance(observations, values, weight, pool), observations.effective_size()

    @property
    def sampled(self) -> Sampled:
        """The observations to resample."""
        return Sampled(self._observations, self._cell, self._values, self._weight)

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
from simtool.analysis.inference.multiway import Covariance, Dependence, covariance
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
    samples = [_Sample(each) for each in measured]
    # The products are too small to gain from threads of BLAS, and their number changes the last bits of sums.
    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(available_cores()) as pool,
        progress(2 * sum(map(len, samples))) as advance,
    ):
        errors: list[dict[Cells, tuple[Covariance, int]]] = []
        for sample in samples:
            errors.append(sample.errors(pool))
            advance(len(sample))
        drawn = resample([sample.sampled for sample in samples], replicates, seed, pool, advance)
    return [
        [
            Estimates(mean, own[cells][0], sums.means(list(cells)), own[cells][1])
            for mean, cells in zip(sample.mean, sample.cells, strict=True)
        ]
        for sample, own, sums in zip(samples, errors, drawn, strict=True)
    ]


class _Sample:
    """Values that were measured, partitioned into cells, and the informative observations among them.

    Attributes:
        cells: the cells that each stratum pools.
        mean: (S, M) the means in each stratum, over all observations. They are NaN if a stratum has no weight.
    """

    def __init__(self, measured: Measured) -> None:
        cell, pooled = cells_of(measured.strata)
        self.cells: list[Cells] = [tuple(cells.tolist()) for cells in pooled]
        self._count = int(cell.max(initial=0)) + 1
        self.mean = self._means(measured, cell)
        informative = measured.observations.informative(measured.weight)
        rows = slice(None) if informative.all() else np.flatnonzero(informative)  # a slice copies nothing
        self._observations, self._values = measured.observations.take(rows), measured.values.take(rows)
        self._weight = None if measured.weight is None else measured.weight[rows]
        self._cell = cell[rows]

    def __len__(self) -> int:
        """The number of informative observations."""
        return len(self._observations)

    def _means(self, measured: Measured, cell: NDArray[np.int32]) -> NDArray[np.float64]:
        weight = np.ones(len(cell)) if measured.weight is None else measured.weight
        sums = self._pooled(self.cells).T @ measured.values.sums(weight, cell, self._count)
        with np.errstate(invalid="ignore"):
            return np.asarray(measured.values.unit * sums[:, :-1] / sums[:, -1:])

    def _pooled(self, strata: Sequence[Cells]) -> NDArray[np.bool_]:
        """Whether a stratum pools a cell, (cells, S)."""
        pooled = np.zeros((self._count, len(strata)), bool)
        for column, cells in zip(pooled.T, strata, strict=True):
            column[list(cells)] = True
        return pooled

    def errors(self, pool: Executor) -> dict[Cells, tuple[Covariance, int]]:
        """The covariance of the means in each stratum, and the effective size of its sample.

        One pass over the observations serves all strata, except those whose observations all show an image.
        """
        strata = list(dict.fromkeys(self.cells))
        sizes, share = zip(*pool.map(self._size, strata), strict=True)
        found = {cells: self._alone(cells, pool) for cells, shared in zip(strata, share, strict=True) if shared}
        if together := [cells for cells in strata if cells not in found]:
            dependence = Dependence(self._observations, pool, keep=False)
            own = dependence.covariances(self._values, self._cell, self._pooled(together), self._weight)
            found |= zip(together, own, strict=True)
        return {cells: (found[cells], size) for cells, size in zip(strata, sizes, strict=True)}

    def _size(self, cells: Cells) -> tuple[int, bool]:
        """The effective size of the sample in some cells, and whether all of its observations show an image."""
        observations = self._observations.take(self._rows(cells))
        return observations.effective_size(), observations.shown_by_all().size > 0

    def _alone(self, cells: Cells, pool: Executor) -> Covariance:
        """The covariance of the means in some cells."""
        part = self._rows(cells)
        weight = None if self._weight is None else self._weight[part]
        return covariance(self._observations.take(part), self._values.take(part), weight, pool)

    def _rows(self, cells: Cells) -> NDArray[np.intp] | slice:
        """The positions of the observations in some cells."""
        inside = np.zeros(self._count, bool)
        inside[list(cells)] = True
        return slice(None) if inside.all() else np.flatnonzero(inside[self._cell])

    @property
    def sampled(self) -> Sampled:
        """The observations to resample."""
        return Sampled(self._observations, self._cell, self._values, self._weight, self._count)

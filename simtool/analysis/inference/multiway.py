"""The variance of a mean over observations that share clusters and images.

Cameron, Gelbach & Miller (2011, https://doi.org/10.1198/jbes.2010.07136) add the variances of the sums over each kind
of group and subtract the pairs of observations that two kinds count twice. An image has one of three roles in an
observation, like the two members of a dyad in Aronow, Samii & Assenova (2015, https://doi.org/10.1093/pan/mpv018), who
count every pair of observations with a common member once. With psi the influence of each observation on the mean::

    V = 1 / (1 - f) * sum of psi_j psi_k over the pairs j, k that share the cluster or at least one image

where f is the share of such pairs among all pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.segments import Entries, Influence, order_of
from simtool.analysis.inference.values import Values

__all__ = ["Covariance", "Dependence", "covariance"]


@dataclass(frozen=True)
class Covariance:
    """Three estimates of the covariance of M means, from the weakest to the strongest assumption of independence.

    Attributes:
        multiway: (M, M) observations depend on each other if they share a cluster or an image.
        one_way: (M, M) observations depend on each other within a cluster only.
        unclustered: (M, M) observations are independent.
    """

    multiway: NDArray[np.float64]
    one_way: NDArray[np.float64]
    unclustered: NDArray[np.float64]

    def take(self, columns: slice) -> Covariance:
        """The covariance of some of the means."""
        return Covariance(*(matrix[columns, columns] for matrix in (self.multiway, self.one_way, self.unclustered)))

    def standard_error(self, contrast: NDArray[np.float64]) -> float:
        """The standard error of a linear combination of the means, with the coefficients ``contrast``, (M,).

        The multiway estimate is a difference, so it can be too small by chance (even negative). The other two estimates
        are its lower limits. Schütt et al. (2023, https://doi.org/10.7554/eLife.82566) use each one-way term likewise.
        """
        estimates = (self.multiway, self.one_way, self.unclustered)
        return math.sqrt(max(0.0, *(float(contrast @ matrix @ contrast) for matrix in estimates)))

    def errors_of_differences(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.float64]:
        """The standard errors of differences of two means, as :meth:`standard_error` defines them.

        Args:
            first: (P,) positions of means.
            second: (P,) positions of the means that are subtracted.
        """
        variance = np.zeros(len(first))
        for matrix in (self.multiway, self.one_way, self.unclustered):
            own = matrix[first, first] + matrix[second, second]
            np.maximum(variance, own - matrix[first, second] - matrix[second, first], out=variance)
        return np.sqrt(variance)


def covariance(
    observations: Observations, values: Values, weight: NDArray[np.float64] | None = None, pool: Executor | None = None
) -> Covariance:
    """The covariance of the means of the values of n observations; see :class:`Dependence`.

    Args:
        observations: n observations.
        values: n values of M models.
        weight: (n,) weight of each observation in the means; None for equal weights.
        pool: threads.
    """
    return Dependence(observations, pool, keep=False).covariance(values, weight)


class Dependence:
    """Which of n observations share the cluster or images. It serves the covariances of several sets of values.

    Two observations share m of three images. Since m - m(m-1)/2 + m(m-1)(m-2)/6 is 1 for m = 1, 2, 3, the sums over
    images, minus the sums over pairs of images, plus the sums over triples, count each pair of observations once. Only
    observations of different clusters are paired in these sums. The other pairs share the cluster.

    An image that all observations show is left out. It cannot explain how they differ, and the variance describes
    studies that show this image too.

    Args:
        observations: n observations.
        pool: threads.
        keep: whether to hold the groups of observations in memory, 64 n bytes for three images.
    """

    def __init__(self, observations: Observations, pool: Executor | None = None, keep: bool = True) -> None:
        self._pool = pool
        self._order = order_of(observations.cluster, observations.cluster_count)
        self._cluster, self._clusters = observations.cluster[self._order], observations.cluster_count
        self._images = _ascending(observations.without_shared_images().images, self._order)
        self._image_count = observations.image_count
        self._kept = list(self._map(self._sharing, self._sizes)) if keep else None

    def covariance(self, values: Values, weight: NDArray[np.float64] | None = None) -> Covariance:
        """The covariance of the means of values.

        Args:
            values: n values of M models.
            weight: (n,) weight of each observation in the means; None for equal weights.
        """
        return self.covariances(values, np.zeros(len(values), np.int32), np.ones((1, 1), bool), weight)[0]

    def covariances(
        self,
        values: Values,
        cell: NDArray[np.integer],
        pooled: NDArray[np.bool_],
        weight: NDArray[np.float64] | None = None,
    ) -> list[Covariance]:
        """The covariance of the means of values in each of S strata.

        Args:
            values: n values of M models.
            cell: (n,) the cell of each observation, counted from 0.
            pooled: (cells, S) whether a stratum pools a cell.
            weight: (n,) weight of each observation in the means; None for equal weights.
        """
        order = self._order
        weight = np.ones(len(order)) if weight is None else weight[order]
        influence = Influence(values.take(order), weight, cell[order], pooled)

        def products(members: int | None) -> NDArray[np.float64]:
            if members is None:
                return influence.products()
            groups = self._sharing(members) if self._kept is None else self._kept[members]
            return influence.products_of_pairs(groups, self._cluster if members else None)

        unclustered, one_way, *shared = self._map(products, [None, *self._sizes])
        multiway = one_way + sum(
            (found if size % 2 else -found for size, found in enumerate(shared, 1)), np.zeros_like(one_way)
        )
        estimates = zip(multiway, one_way, unclustered, strict=True)
        return [Covariance(*(_unbiased(sums) for sums in own)) for own in estimates]

    @property
    def _sizes(self) -> range:
        return range(len(self._images) + 1)

    def _sharing(self, members: int) -> Entries:
        """The groups of observations that share a set of some number of images; for no image, the cluster."""
        if not members:
            return Entries.of([[self._cluster]], self._clusters)
        return _sets(self._images, members, self._image_count)

    @property
    def _map(self) -> Callable[..., Iterable[Any]]:
        return map if self._pool is None else self._pool.map


def _ascending(images: NDArray[np.integer], order: NDArray[np.integer]) -> list[NDArray[np.integer]]:
    """The columns of images, (n, roles), with the rows in an order, and the images of each row ascending."""
    columns = [column[order] for column in images.T]
    for last in range(len(columns) - 1, 0, -1):
        for at in range(last):
            low = np.minimum(columns[at], columns[at + 1])
            np.maximum(columns[at], columns[at + 1], out=columns[at + 1])
            columns[at] = low
    return columns


def _sets(images: Sequence[NDArray[np.integer]], members: int, count: int) -> Entries:
    """The groups of observations that share a set of images.

    Args:
        images: columns of images, (n,) each, in ascending order; ``count`` in the place of a repetition.
        members: the size of the sets.
        count: number of images.
    """
    groups = list(combinations(images, members))
    if images[-1].max(initial=0) < count:
        return Entries.of(groups, count)
    return Entries.of(groups, count + 1, [last < count for *_, last in groups])


def _unbiased(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct the bias that arises because the same observations estimate the mean.

    Over all n^2 pairs the products of the influences sum to zero. A sum over a share f of the pairs therefore loses the
    share f of its expectation. This is exact for balanced additive effects: with G equal clusters f is 1 / G, and
    1 / (1 - f) is the usual G / (G - 1). The last row and column of ``sums`` hold f, computed from the weights.
    """
    covered = sums[-1, -1]
    if covered > 1 - 1e-9:
        return np.zeros_like(sums[:-1, :-1])
    unbiased: NDArray[np.float64] = sums[:-1, :-1] / (1 - covered)
    return unbiased

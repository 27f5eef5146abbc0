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
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import Observations

__all__ = ["Covariance", "SharedClusters"]


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


@dataclass(frozen=True)
class _Kind:
    """One kind of group of observations.

    ``sign`` is that of its sums in the variance; ``code``, (roles, N), are the groups, less than ``size``.
    """

    sign: int
    code: NDArray[np.int64]
    size: int


class SharedClusters:
    """Groups of observations that share images, pairs or triples of images; and the same within each cluster.

    Two observations share m of three images. Since m - m(m-1)/2 + m(m-1)(m-2)/6 is 1 for m = 1, 2, 3, the sums over
    images, minus the sums over pairs, plus the sums over triples, count each pair of observations once. Subtracting the
    same sums within clusters leaves the pairs that share an image but not the cluster.

    An image that all observations show is left out. It cannot explain how they differ, and the variance describes
    studies that show this image too.
    """

    def __init__(self, observations: Observations) -> None:
        self._observations = observations
        images = np.sort(observations.images, axis=1).astype(np.int64).T
        self._kinds: list[_Kind] = []
        clusters = observations.cluster_count
        for members in range(1, len(images) + 1):
            sign = 1 if members % 2 else -1
            chosen = np.stack([images[list(roles)] for roles in combinations(range(len(images)), members)])
            code, size = _code(chosen, observations.image_count)
            within = _compact(code * clusters + observations.cluster, size * clusters)
            self._kinds += [_Kind(sign, code, size), _Kind(-sign, *within)]

    def covariance(
        self, rows: NDArray[np.intp], values: NDArray[np.floating], weight: NDArray[np.float64] | None = None
    ) -> Covariance:
        """The covariance of the means of the values, (n, M), of the observations at some rows, (n,).

        Their weights in the means are (n,), or None for equal weights.
        """
        if self._observations.shown_by_all(rows).size:
            varying = SharedClusters(self._observations.take(rows).without_shared_images())
            return varying.covariance(np.arange(len(rows)), values, weight)
        share = np.full(len(rows), 1 / max(len(rows), 1)) if weight is None else weight / weight.sum()
        centered = values.T - (share @ values)[:, None]
        influence = np.vstack([centered * share, share])
        by_cluster = _products(self._observations.cluster[None, rows], self._observations.cluster_count, influence)
        shared = by_cluster.copy()
        for kind in self._kinds:
            shared += kind.sign * _products(kind.code[:, rows], kind.size, influence)
        return Covariance(*(_unbiased(sums) for sums in (shared, by_cluster, influence @ influence.T)))


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


def _code(images: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], int]:
    """Number sets of images: (roles, members, N) images become (roles, N) codes, which are less than a size."""
    code = images[:, 0]
    for member in range(1, images.shape[1]):
        code = code * count + images[:, member]
    return _compact(code, count ** images.shape[1])


def _compact(code: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], int]:
    """Renumber codes if their size is much greater than their number, so that a bin for each code stays cheap."""
    if size <= 4 * code.size:
        return code, size
    used, compact = np.unique(code, return_inverse=True)
    return compact.reshape(code.shape), used.size


def _products(code: NDArray[np.int64], size: int, influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the influences, (M, n), within each group, and sum the products of these sums over the groups, (M, M)."""
    flat, roles = code.ravel(), len(code)
    sums = np.array([np.bincount(flat, np.tile(row, roles), size) for row in influence], np.float64)
    products: NDArray[np.float64] = sums @ sums.T
    return products

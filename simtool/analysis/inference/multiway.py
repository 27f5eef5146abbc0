"""The variance of a mean over observations that share people and images.

Cameron, Gelbach & Miller (2011, https://doi.org/10.1198/jbes.2010.07136) add the variance of the sums over
the clusters of each kind and subtract what two kinds count twice. Images enter an observation in three
roles, as the two members of a dyad do in Aronow, Samii & Assenova (2015,
https://doi.org/10.1093/pan/mpv018), who count every pair of observations that have a member in common
once. Here, with psi the influence of each observation on the mean::

    V = 1 / (1 - f) * sum of psi_j psi_k over the pairs j, k that share the unit or at least one image

with f the share of such pairs among all.
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
    """Three estimates of the covariance of M means, from the most to the least that is taken to be shared.

    Attributes:
        multiway: (M, M) observations depend where they share a unit or an image.
        one_way: (M, M) they depend within a unit only.
        independent: (M, M) they do not depend.
    """

    multiway: NDArray[np.float64]
    one_way: NDArray[np.float64]
    independent: NDArray[np.float64]

    def take(self, columns: slice) -> Covariance:
        """The same for some of the means."""
        return Covariance(*(matrix[columns, columns] for matrix in (self.multiway, self.one_way, self.independent)))

    def deviation(self, contrast: NDArray[np.float64]) -> float:
        """The standard error of a combination of the means.

        The multiway estimate is a difference and can come out too small by chance (even negative), so it
        is floored at the other two, as Schütt et al. (2023, https://doi.org/10.7554/eLife.82566) floor
        theirs at each one-way term.

        Args:
            contrast: (M,) the coefficients.
        """
        estimates = (self.multiway, self.one_way, self.independent)
        return math.sqrt(max(0.0, *(float(contrast @ matrix @ contrast) for matrix in estimates)))


@dataclass(frozen=True)
class _Kind:
    """One kind of cluster.

    Attributes:
        sign: with which its sums enter the variance.
        code: (roles, N) the clusters that each observation is in.
        size: a bound on the codes.
    """

    sign: int
    code: NDArray[np.int64]
    size: int


class SharedClusters:
    """The clusters of some observations: images, pairs and triples of images, and the same within units.

    Two observations share m of three images. Since m - m(m-1)/2 + m(m-1)(m-2)/6 is 1 for m = 1, 2, 3, the sums
    over images, less those over pairs, plus those over triples, count each pair of observations once. The same
    sums within units, subtracted, leave the pairs that share an image but not the unit.

    An image that all observations show makes none of them differ: the sample says nothing about other images in
    its place, and the variance is that of studies that show it too.
    """

    def __init__(self, observations: Observations) -> None:
        self._observations = observations
        images = np.sort(observations.images, axis=1).astype(np.int64).T
        self._kinds: list[_Kind] = []
        for members in range(1, len(images) + 1):
            sign = 1 if members % 2 else -1
            chosen = np.stack([images[list(roles)] for roles in combinations(range(len(images)), members)])
            code, size = _code(chosen, observations.image_count)
            within = _compact(code * observations.units + observations.unit, size * observations.units)
            self._kinds += [_Kind(sign, code, size), _Kind(-sign, *within)]

    def covariance(
        self, rows: NDArray[np.intp], values: NDArray[np.floating], weight: NDArray[np.float64] | None = None
    ) -> Covariance:
        """The covariance of the means of some observations' values.

        Args:
            rows: (n,) which observations.
            values: (n, M) their values.
            weight: (n,) what each counts in the means; None where all count the same.
        """
        if self._observations.shown_by_all(rows).size:
            varying = SharedClusters(self._observations.take(rows).without_shared_images())
            return varying._covariance(np.arange(len(rows)), values, weight)
        return self._covariance(rows, values, weight)

    def _covariance(
        self, rows: NDArray[np.intp], values: NDArray[np.floating], weight: NDArray[np.float64] | None
    ) -> Covariance:
        share = np.full(len(rows), 1 / max(len(rows), 1)) if weight is None else weight / weight.sum()
        centered = values.T - (share @ values)[:, None]
        influence = np.vstack([centered * share, share])
        by_unit = _products(self._observations.unit[None, rows], self._observations.units, influence)
        shared = by_unit.copy()
        for kind in self._kinds:
            shared += kind.sign * _products(kind.code[:, rows], kind.size, influence)
        return Covariance(*(_unbiased(sums) for sums in (shared, by_unit, influence @ influence.T)))


def _unbiased(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make good for the mean having been estimated from the same observations.

    Over all n^2 pairs the products of the influences sum to zero. So the share f of the pairs that a sum covers
    (which the same sum over the observations' shares of the total weight tells) costs it that share of its
    expectation, exactly so for balanced additive effects: with U equal units f is 1 / U, and 1 / (1 - f) the usual
    U / (U - 1).
    """
    covered = sums[-1, -1]
    if covered > 1 - 1e-9:
        return np.zeros_like(sums[:-1, :-1])
    unbiased: NDArray[np.float64] = sums[:-1, :-1] / (1 - covered)
    return unbiased


def _code(images: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], int]:
    """Number sets of images: (roles, members, N) become (roles, N) codes, and a bound on them."""
    code = images[:, 0]
    for member in range(1, images.shape[1]):
        code = code * count + images[:, member]
    return _compact(code, count ** images.shape[1])


def _compact(code: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], int]:
    """Codes that are bounded by their own number, so that one bin for each costs no more than the observations."""
    if size <= 4 * code.size:
        return code, size
    used, compact = np.unique(code, return_inverse=True)
    return compact.reshape(code.shape), used.size


def _products(code: NDArray[np.int64], size: int, influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over clusters of the products of the clusters' summed influences.

    Args:
        code: (roles, n) the clusters that each observation is in.
        size: the number of clusters.
        influence: (M, n).

    Returns:
        (M, M).
    """
    flat, roles = code.ravel(), len(code)
    sums = np.array([np.bincount(flat, np.tile(row, roles), size) for row in influence], np.float64)
    products: NDArray[np.float64] = sums @ sums.T
    return products

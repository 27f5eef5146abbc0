"""The variance of a mean over observations that share people and images.

Cameron, Gelbach & Miller (2011, https://doi.org/10.1198/jbes.2010.07136) add the variance of the sums over
the clusters of each kind and subtract what two kinds count twice. Images enter an observation in three
roles, as the two members of a dyad do in Aronow, Samii & Assenova (2015,
https://doi.org/10.1093/pan/mpv018), who count every pair of observations that have a member in common
once. Here, with psi the influence of each observation on the mean::

    V = sum of psi_j psi_k over all pairs j, k that share the unit or at least one image
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simtool.similarity.inference.observations import Observations

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
    """

    def __init__(self, observations: Observations) -> None:
        self._observations = observations
        images = np.sort(observations.images, axis=1).astype(np.int64).T
        self._kinds: list[_Kind] = []
        for members, sign in ((1, 1), (2, -1), (3, 1)):
            chosen = np.stack([images[list(roles)] for roles in combinations(range(3), members)])
            code, size = _code(chosen, observations.image_count)
            within = _compact(code * observations.units + observations.unit, size * observations.units)
            self._kinds += [_Kind(sign, code, size), _Kind(-sign, *within)]

    def covariance(self, rows: NDArray[np.intp], values: NDArray[np.floating]) -> Covariance:
        """The covariance of the means of some observations' values.

        With U units and I images among the rows, what is shared by units is inflated by U / (U - 1), and
        what is shared by images but not by units by I (I - 1) / (I - 3)^2: subtracting the mean takes that
        much from the sums over three roles. Both follow from the expectation under additive effects.

        Args:
            rows: (n,) which observations.
            values: (n, M) their values.
        """
        influence = np.ascontiguousarray((values - values.mean(axis=0, dtype=np.float64)).T) / max(len(rows), 1)
        unit = self._observations.unit[rows]
        by_unit = _products(unit[None], self._observations.units, influence)
        by_image = np.zeros_like(by_unit)
        for kind in self._kinds:
            by_image += kind.sign * _products(kind.code[:, rows], kind.size, influence)
        units = np.unique(unit).size
        images = np.unique(self._observations.images[rows]).size
        one_way = units / max(units - 1, 1) * by_unit
        inflation = images * (images - 1) / max(images - 3, 1) ** 2
        return Covariance(one_way + inflation * by_image, one_way, influence @ influence.T)


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

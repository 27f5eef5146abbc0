"""The distances that a user can name, as data: which sums over coordinates each needs, and what it makes of them.

Everything is computed in float64, to a few units in the last digits: what cancels is computed anew in another way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, listed
from simtool.similarity.kernels import angles_of
from simtool.similarity.pairs import Pairs

__all__ = ["DISTANCES", "Distance", "Measured", "SimilarityError", "Sums", "Term", "distance_named"]


class SimilarityError(SimtoolError):
    """A distance cannot be computed; the message names the images or the choice at fault."""


class Term(Enum):
    """A sum over the coordinates of two vectors x and y."""

    SQUARES = "(x - y)²"
    PRODUCTS = "x y"
    ABSOLUTES = "|x - y|"
    SEGMENT_SQUARES = "(x - y)², averaged within each segment"
    SEGMENT_ANGLES = "(x - y)² / 2 of segments scaled to length 1"


@dataclass(frozen=True)
class Sums:
    """Sums over coordinates, from which every distance follows.

    Attributes:
        pairs: P pairs of n vectors.
        dimension: D.
        segments: S, the number of segments; 1 where the table names none.
        terms: for each term, (P,).
        norm: (n,) |x|.
        mean: (n,) the mean of the coordinates of x.
        deviation: (n,) |x - mean|; exactly 0 for a constant vector.
    """

    pairs: Pairs
    dimension: int
    segments: int
    terms: dict[Term, NDArray[np.float64]]
    norm: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Distances of pairs.

    Attributes:
        value: (P,).
        size: (P,) of what was summed, to which the tolerance of a tie is relative.
    """

    value: NDArray[np.float64]
    size: NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """A distance by its name.

    Attributes:
        name: as in ``--distance``.
        meaning: a few words for the help.
        term: the sum that it needs.
        measure: from the sums to the distances, (P,); NaN where digits cancel, to be computed from directions.
        direction: for angles: the origin and the length of each vector, (n,) both, so that (x - origin) / length is
            the direction that is compared; a length of 0 means that there is none.
        size: what the tolerance of a tie is relative to, (P,), where it is not the distance itself.
    """

    name: str
    meaning: str
    term: Term
    measure: Callable[[Sums], NDArray[np.float64]]
    direction: Callable[[Sums], tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None
    size: Callable[[Sums], NDArray[np.float64]] | None = None

    @property
    def by_segment(self) -> bool:
        """Whether the table must name its segments."""
        return self.term in (Term.SEGMENT_SQUARES, Term.SEGMENT_ANGLES)


def _mse(sums: Sums) -> NDArray[np.float64]:
    return sums.terms[Term.SQUARES] / sums.dimension


def _cosine(sums: Sums) -> NDArray[np.float64]:
    return angles_of(sums.terms[Term.SQUARES], sums.pairs, sums.norm, np.zeros_like(sums.norm))


def _segment_mse(sums: Sums) -> NDArray[np.float64]:
    return sums.terms[Term.SEGMENT_SQUARES] / sums.segments


def _segment_cosine(sums: Sums) -> NDArray[np.float64]:
    return sums.terms[Term.SEGMENT_ANGLES] / sums.segments


def _euclidean(sums: Sums) -> NDArray[np.float64]:
    root: NDArray[np.float64] = np.sqrt(sums.terms[Term.SQUARES])
    return root


def _manhattan(sums: Sums) -> NDArray[np.float64]:
    return sums.terms[Term.ABSOLUTES]


def _dot(sums: Sums) -> NDArray[np.float64]:
    return -sums.terms[Term.PRODUCTS]


def _correlation(sums: Sums) -> NDArray[np.float64]:
    # The cosine of x - mean(x) and y - mean(y); the means are at right angles to both.
    return angles_of(sums.terms[Term.SQUARES], sums.pairs, sums.deviation, sums.mean * np.sqrt(sums.dimension))


def _product_of_norms(sums: Sums) -> NDArray[np.float64]:
    return sums.norm[sums.pairs.first] * sums.norm[sums.pairs.second]


def _whole(sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.zeros_like(sums.norm), sums.norm


def _around_mean(sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return sums.mean, sums.deviation


_ALL = (
    Distance("mse", "mean squared difference", Term.SQUARES, _mse),
    Distance("cosine", "1 - cosine similarity", Term.SQUARES, _cosine, _whole),
    Distance("mse/segments", "mse within each segment, averaged", Term.SEGMENT_SQUARES, _segment_mse),
    Distance("cosine/segments", "cosine within each segment, averaged", Term.SEGMENT_ANGLES, _segment_cosine),
    Distance("euclidean", "root of the summed squared difference", Term.SQUARES, _euclidean),
    Distance("manhattan", "sum of absolute differences", Term.ABSOLUTES, _manhattan),
    Distance("dot", "minus the inner product", Term.PRODUCTS, _dot, size=_product_of_norms),
    Distance("correlation", "1 - Pearson correlation", Term.SQUARES, _correlation, _around_mean),
)

#: Every distance by its name.
DISTANCES: dict[str, Distance] = {distance.name: distance for distance in _ALL}


def distance_named(name: str) -> Distance:
    """Look a distance up.

    Raises:
        SimilarityError: there is none of that name; lists those that there are.
    """
    if name not in DISTANCES:
        raise SimilarityError(f"no distance is called {name}; there are {listed(DISTANCES, len(DISTANCES))}")
    return DISTANCES[name]

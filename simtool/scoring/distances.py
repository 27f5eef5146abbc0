"""The table of distances: the sum over coordinates that each distance needs, and its formula.

All distances are computed in float64, with a bound of the error. Comparisons that are closer than the bound are decided
by exact arithmetic (:mod:`simtool.scoring.settling`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, listed
from simtool.scoring.pairs import Pairs
from simtool.scoring.rows import RowSums

__all__ = ["DISTANCES", "Direction", "Distance", "Measured", "SimilarityError", "Sums", "Term", "distance_named"]


class SimilarityError(SimtoolError):
    """A distance cannot be computed; the message names the images or the option at fault."""


class Term(Enum):
    """A sum over the coordinates of two vectors x and y."""

    SQUARES = "(x - y)²"
    PRODUCTS = "x y"
    ABSOLUTES = "|x - y|"
    SEGMENT_SQUARES = "(x - y)², averaged within each segment"
    SEGMENT_ANGLES = "(x - y)² / 2 of segments scaled to length 1"


@dataclass(frozen=True)
class Sums:
    """Sums over coordinates, from which distances are computed.

    Attributes:
        pairs: P pairs of n vectors.
        rows: sums of each vector.
        segments: S, the number of segments; 1 if the table names none.
        terms: for each term, (P,).
        exact: the terms whose sums are exact.
        segment_scale: the factor of the squares within segments.
    """

    pairs: Pairs
    rows: RowSums
    segments: int
    terms: dict[Term, NDArray[np.float64]]
    exact: frozenset[Term]
    segment_scale: float

    def error_of(self, term: Term) -> float:
        """The largest relative error of a sum."""
        return 0.0 if term in self.exact else self.rows.tolerance


@dataclass(frozen=True)
class Measured:
    """Distances of pairs, with bounds of their errors.

    Attributes:
        value: (P,).
        size: (P,) the error of a value is at most ``tolerance`` times this; infinite if no bound is known.
        tolerance: a relative error; 0 if values are equal or ordered as in exact arithmetic.
    """

    value: NDArray[np.float64]
    size: NDArray[np.float64]
    tolerance: float


@dataclass(frozen=True)
class Direction:
    """The directions of vectors, between which angles are measured: (x - origin) / length.

    Attributes:
        origin: (n,) subtracted from each coordinate.
        length: (n,) the length after that.
        growth: (n,) the relative error of the length, divided by that of a sum, at most.
    """

    origin: NDArray[np.float64]
    length: NDArray[np.float64]
    growth: NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """A distance by its name. Either ``measure`` or ``direction`` is given.

    Attributes:
        name: as in ``--distance``.
        meaning: a description for the help.
        term: the sum that it needs.
        measure: computes the distances from the sums.
        direction: of an angle between vectors, the directions.
        degree: vectors times f have a distance times f to this power.
    """

    name: str
    meaning: str
    term: Term
    measure: Callable[[Sums], Measured] | None = None
    direction: Callable[[RowSums], Direction] | None = None
    degree: int = 0

    @property
    def by_segment(self) -> bool:
        """Whether the table must name its segments."""
        return self.term in (Term.SEGMENT_SQUARES, Term.SEGMENT_ANGLES)


def _mse(sums: Sums) -> Measured:
    return _positive(sums, Term.SQUARES, sums.terms[Term.SQUARES] / sums.rows.columns.dimension)


def _segment_mse(sums: Sums) -> Measured:
    value = sums.terms[Term.SEGMENT_SQUARES] / (sums.segments * sums.segment_scale)
    return _positive(sums, Term.SEGMENT_SQUARES, value)


def _segment_cosine(sums: Sums) -> Measured:
    # Each direction has an error of the tolerance, so the error of an angle grows with the distance of the directions.
    value, tolerance = sums.terms[Term.SEGMENT_ANGLES] / sums.segments, sums.rows.tolerance
    return Measured(value, value + np.sqrt(2 * value) + tolerance, tolerance)


def _euclidean(sums: Sums) -> Measured:
    return _positive(sums, Term.SQUARES, np.sqrt(sums.terms[Term.SQUARES]))


def _manhattan(sums: Sums) -> Measured:
    return _positive(sums, Term.ABSOLUTES, sums.terms[Term.ABSOLUTES])


def _dot(sums: Sums) -> Measured:
    size = sums.rows.norm[sums.pairs.first] * sums.rows.norm[sums.pairs.second]
    return Measured(-sums.terms[Term.PRODUCTS], size, sums.error_of(Term.PRODUCTS))


def _positive(sums: Sums, term: Term, value: NDArray[np.float64]) -> Measured:
    return Measured(value, value, sums.error_of(term))


def _whole(rows: RowSums) -> Direction:
    return Direction(np.zeros_like(rows.norm), rows.norm, np.ones_like(rows.norm))


def _around_mean(rows: RowSums) -> Direction:
    return Direction(rows.mean, rows.deviation, rows.growth)


_ALL = (
    Distance("mse", "mean squared difference", Term.SQUARES, _mse, degree=2),
    Distance("cosine", "1 - cosine similarity", Term.SQUARES, direction=_whole),
    Distance("mse/segments", "mse within each segment, averaged", Term.SEGMENT_SQUARES, _segment_mse, degree=2),
    Distance("cosine/segments", "cosine within each segment, averaged", Term.SEGMENT_ANGLES, _segment_cosine),
    Distance("euclidean", "root of the summed squared difference", Term.SQUARES, _euclidean, degree=1),
    Distance("manhattan", "sum of absolute differences", Term.ABSOLUTES, _manhattan, degree=1),
    Distance("dot", "minus the inner product", Term.PRODUCTS, _dot, degree=2),
    Distance("correlation", "1 - Pearson correlation", Term.SQUARES, direction=_around_mean),
)

#: Every distance by its name.
DISTANCES: dict[str, Distance] = {distance.name: distance for distance in _ALL}


def distance_named(name: str) -> Distance:
    """Find a distance by its name.

    Raises:
        SimilarityError: no distance has this name; the message lists all distances.
    """
    if name not in DISTANCES:
        raise SimilarityError(f"no distance is called {name}; choose from {listed(DISTANCES, len(DISTANCES))}")
    return DISTANCES[name]

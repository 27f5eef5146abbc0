"""How far the distances of the pairs of images spread: their standard deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.all_pairs import unscaled
from simtool.scoring.columns import HeldColumns
from simtool.scoring.distances import SimilarityError, distance_named
from simtool.scoring.measuring import Names, measure
from simtool.scoring.pairs import Pairs
from simtool.scoring.rows import RowSums
from simtool.tables.embeddings import Segment

__all__ = ["spread_of", "spreads"]

#: Distances whose range is smaller than this share of the largest one differ by rounding only.
_ROUNDING = 1e-12


def spreads(
    vectors: NDArray[Any],
    distances: Sequence[str],
    segments: Sequence[Segment] = (),
    names: Names | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> list[float]:
    """Return the standard deviation of each distance over all pairs of n vectors.

    Args:
        vectors: (n, D).
        distances: names of distances.
        segments: the segments of the vectors, for distances by segment.
        names: (n,) the names of the vectors in error messages.
        advance: called with the number of columns after each block.

    Raises:
        SimilarityError: a distance cannot be computed, or is the same for all pairs.
    """
    columns, wanted = HeldColumns(vectors), [distance_named(name) for name in distances]
    first, second = (each.astype(np.int32) for each in np.triu_indices(len(vectors), 1))
    measured = measure(columns, Pairs(len(vectors), first, second), wanted, segments, names, advance)
    scale = RowSums(columns).scale
    return [
        spread_of(unscaled(found.value, scale, distance.degree), distance.name)
        for found, distance in zip(measured, wanted, strict=True)
    ]


def spread_of(distances: NDArray[np.float64] | None, name: str) -> float:
    """Return the standard deviation of distances, (P,).

    Raises:
        SimilarityError: all distances are equal, or float64 cannot hold them (None).
    """
    if distances is None:
        raise SimilarityError(f"{name} of its vectors does not fit float64; multiply all vectors by one number")
    if not distances.size or np.ptp(distances) <= _ROUNDING * np.abs(distances).max():
        raise SimilarityError(f"{name} is the same for all pairs of images, so it adds nothing to a sum: leave it out")
    return float(distances.std())

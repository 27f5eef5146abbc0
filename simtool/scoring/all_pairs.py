"""The distances of all pairs of images of a table of embeddings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.columns import columns_of, free_memory, least_memory
from simtool.scoring.distances import Measured, SimilarityError, distance_named
from simtool.scoring.measuring import measure
from simtool.scoring.pairs import Pairs as ImagePairs
from simtool.scoring.rows import RowSums
from simtool.scoring.settling import Settler
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.embeddings import EmbeddingTable

__all__ = ["all_distances", "unscaled"]

#: Bytes of the work for each pair.
_PAIR = 160


def all_distances(
    table: EmbeddingTable, distance: str, advance: Callable[[int], object] = lambda _: None
) -> DistanceTable:
    """Measure all pairs of images by a distance.

    The numbers are those of ``score``, rounded to float64. Pairs that are exactly equal have equal numbers, so that
    ties remain ties.

    Args:
        table: n embeddings.
        distance: its name, as in ``score --distance``.
        advance: called with the number of columns after each block.

    Returns:
        n (n - 1) / 2 distances.

    Raises:
        TableError: a vector is faulty, or there is only one image.
        SimilarityError: the distance cannot be computed, a number does not fit float64, or the pairs the memory.
    """
    wanted, count = distance_named(distance), len(table)
    pairs = count * (count - 1) // 2
    free = free_memory()
    if (needed := pairs * _PAIR + least_memory(count)) > free:
        raise SimilarityError(
            f"{table.path}: {pairs:,} pairs need {needed / 1e6:,.0f} MB of memory, {free / 1e6:,.0f} MB are free; "
            "export the embeddings of fewer images"
        )
    first, second = (each.astype(np.int32) for each in np.triu_indices(count, 1))
    numbered = ImagePairs(count, first, second)
    with columns_of(table, np.arange(count), free - pairs * _PAIR) as columns:
        segments = table.info.segments
        try:
            (found,) = measure(columns, numbered, [wanted], segments, table.image_id, advance)
        except SimilarityError as failure:
            raise SimilarityError(f"{table.path}: {failure}") from failure
        settler = Settler(columns, numbered, segments)
        value = _settled(found, lambda some: settler.ranks(distance, some))
        numbers = unscaled(value, RowSums(columns).scale, wanted.degree)
    if numbers is None:
        raise SimilarityError(
            f"{table.path}: {distance} of its vectors does not fit float64; "
            "multiply all vectors by one number that brings their values near 1"
        )
    info = DistanceInfo(table.info.name, measure=distance)
    return DistanceTable.of(Pairs(table.image_id, first, second, numbers), info, table.path)


def _settled(measured: Measured, ranks: Callable[[NDArray[np.bool_]], NDArray[np.int64]]) -> NDArray[np.float64]:
    """The distances of pairs, (P,), with one number for those that exact arithmetic finds equal."""
    value = measured.value.copy()
    order = np.argsort(value)
    error = measured.tolerance * measured.size[order]
    close = ~(np.diff(value[order]) > error[1:] + error[:-1])
    if not measured.tolerance or not close.any():
        return value
    unsure = np.zeros(value.size, np.bool_)
    unsure[order[1:][close]] = unsure[order[:-1][close]] = True
    places = np.flatnonzero(unsure)
    rank = ranks(unsure)[places]
    _, group, sizes = np.unique(rank, return_inverse=True, return_counts=True)
    # The ranks also order numbers that rounding had swapped.
    ascending = np.sort(value[places])
    value[places] = ascending[np.cumsum(sizes) - sizes][group]
    return value


def unscaled(value: NDArray[np.float64], scale: float, degree: int) -> NDArray[np.float64] | None:
    """The distances of the vectors themselves from those of the scaled vectors; None if float64 cannot hold them."""
    numbers = value.copy()
    with np.errstate(all="ignore"):
        for _ in range(degree):
            numbers /= scale
        lost = ~np.isfinite(numbers) | ((abs(numbers) < np.finfo(np.float64).tiny) & (value != 0))
    return None if lost.any() else numbers

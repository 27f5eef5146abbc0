"""The sum of the standardized distances of several tables of distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.distances import SimilarityError
from simtool.scoring.given import GIVEN
from simtool.scoring.spread import spread_of
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.text import counted

__all__ = ["summed"]


def summed(tables: Sequence[DistanceTable], weights: Sequence[float], name: str) -> DistanceTable:
    """Add up distances, each divided by its standard deviation over all pairs and multiplied by a weight.

    Args:
        tables: of distances; the pairs of the first one are added up.
        weights: one for each table.
        name: the label of the sum.

    Raises:
        TableError: a table lacks an image.
        SimilarityError: a table lacks a pair, has other directions, or the same distance for all pairs.
    """
    first = tables[0]
    total = np.zeros(len(first))
    for table, weight in zip(tables, weights, strict=True):
        values = _values_of(table, first)
        try:
            total += weight / spread_of(values, GIVEN) * values
        except SimilarityError as failure:
            raise SimilarityError(f"{table.path}: {failure}") from failure
    info = DistanceInfo(name, first.info.symmetric, "sum of standardized distances")
    return replace(first, info=info, distance=total, provenance=None, source=None)


def _values_of(table: DistanceTable, like: DistanceTable) -> NDArray[np.float64]:
    """The distances that a table has for the pairs of another one, in their order."""
    if table is like:
        return table.distance
    if table.info.symmetric != like.info.symmetric:
        one, other = (table, like) if table.info.symmetric else (like, table)
        raise SimilarityError(
            f"{other.path}: its distances have a direction, those of {one.path} have none: import both in the same way"
        )
    count = len(like.image_id)
    place = np.full(len(table.image_id), -1)
    place[table.match(like.image_id).rows] = np.arange(count)
    left, right = place[table.first], place[table.second]
    if like.info.symmetric:
        left, right = np.minimum(left, right), np.maximum(left, right)
    key = np.where(np.minimum(left, right) < 0, -1, left * count + right)
    order = np.argsort(key)
    wanted = like.first.astype(np.int64) * count + like.second
    found = order[np.minimum(np.searchsorted(key, wanted, sorter=order), order.size - 1)]
    if (absent := key[found] != wanted).any():
        pairs = Pairs(like.image_id, like.first, like.second, like.distance)
        names = pairs.named(np.flatnonzero(absent), like.info.symmetric)
        raise SimilarityError(f"{table.path}: lacks {counted(int(absent.sum()), 'pairs')} of {like.path}: {names}")
    return table.distance[found]

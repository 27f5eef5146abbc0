"""The distances of the displays of a study, from tables of embeddings and of distances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError
from simtool.scoring.all_pairs import all_distances
from simtool.tables.distances import DistanceTable
from simtool.tables.embeddings import EmbeddingTable
from simtool.text import counted
from simtool.validity.displays import Displays

__all__ = ["ValidityError", "distances_of", "vectors_of"]


class ValidityError(SimtoolError):
    """A study lacks what a check needs."""


def distances_of(
    table: EmbeddingTable | DistanceTable,
    distance: str,
    displays: Displays,
    advance: Callable[[int], object] = lambda _: None,
) -> list[NDArray[np.float64]]:
    """The distances of the pairs of each display, (t, M), for each type of trials. They are those that ``score`` uses.

    Args:
        table: vectors or distances of the images.
        distance: the name of the distance between vectors.
        displays: of the trials.
        advance: called with the number of columns of the vectors after each block.

    Raises:
        TableError: the table lacks an image.
        SimilarityError: a distance cannot be computed, or the pairs do not fit into memory.
        ValidityError: the table lacks a pair, or its distances have a direction and a design has no query.
    """
    images, used = displays.trials.images, displays.images
    if isinstance(table, EmbeddingTable):
        rows = table.rows_of(images[used])
        vectors = table.read(rows, table.dtype)
        held = EmbeddingTable.of(images[used], vectors, table.info)
        return _looked_up(all_distances(held, distance, advance), displays, used)
    if not table.info.symmetric and not all(part.rule.kind.has_query for part in displays.parts):
        raise ValidityError(
            f"{table.path}: its distances have a direction, which simulated odd-one-out judgments do not have; "
            "leave this table out"
        )
    return _looked_up(table, displays, used)


def vectors_of(table: EmbeddingTable, displays: Displays) -> NDArray[np.float64]:
    """The vectors of the images of some trials, (n, D); zeros for an image that no trial shows.

    Raises:
        TableError: the table lacks an image.
    """
    vectors = np.zeros((len(displays.trials.images), table.info.dimension))
    used = displays.images
    vectors[used] = table.read(table.rows_of(displays.trials.images[used]), np.float64)
    return vectors


def _looked_up(table: DistanceTable, displays: Displays, used: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    count = len(used)
    place = np.full(len(table.image_id), -1)
    place[np.array(table.match(displays.trials.images[used]).rows)] = np.arange(count)
    first, second = place[table.first], place[table.second]
    inside = (first >= 0) & (second >= 0)
    matrix = np.full((count, count), np.nan)
    matrix[first[inside], second[inside]] = table.distance[inside]
    if table.info.symmetric:
        matrix[second[inside], first[inside]] = table.distance[inside]
    number = np.full(len(displays.trials.images), -1)
    number[used] = np.arange(count)
    found = [matrix[number[part.first], number[part.second]] for part in displays.parts]
    if missing := sum(int(np.isnan(own).sum()) for own in found):
        raise ValidityError(f"{table.path}: lacks the distances of {counted(missing, 'pairs')} that the trials show")
    return found

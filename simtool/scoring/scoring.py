"""Scoring: from a table of embeddings and trials to outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from simtool.scoring.columns import Columns, HeldColumns, columns_of
from simtool.scoring.credit import credit_of
from simtool.scoring.distances import SimilarityError, distance_named
from simtool.scoring.measuring import measure
from simtool.scoring.pairs import ComparedPairs
from simtool.scoring.room import room_for_vectors
from simtool.scoring.settling import Settler
from simtool.tables.embeddings import EmbeddingTable, Segment
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["DEFAULT_DISTANCES", "score_table", "score_vectors"]

DEFAULT_DISTANCES = ("mse", "cosine")


def score_table(
    table: EmbeddingTable,
    trials: ComparedPairs,
    distances: Sequence[str] = DEFAULT_DISTANCES,
    model: str | None = None,
    memory: int | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Outcomes]:
    """Say what a table of embeddings predicts for each trial, with each distance. The table is read once.

    Args:
        table: embeddings.
        trials: the trials, with their pairs collected (:meth:`ComparedPairs.of`), which several tables share.
        distances: names.
        model: the label; the table's own name where None.
        memory: bytes that this process may take in all; half of what is free where None.
        advance: told the number of columns that were read.

    Yields:
        Outcomes for each distance, in order.

    Raises:
        TableError: the table lacks an image that a trial shows, or a vector is faulty.
        SimilarityError: a distance cannot be computed; too little memory.
    """
    names = trials.trials.images[trials.used]
    room = room_for_vectors(trials, len(distances), memory)
    with columns_of(table, table.rows_of(names), room) as columns:
        try:
            yield from _outcomes(columns, trials, distances, model or table.info.name, table.info.segments, advance)
        except SimilarityError as failure:
            raise SimilarityError(f"{table.path}: {failure}") from failure


def score_vectors(
    vectors: NDArray[Any],
    trials: Trials,
    distances: Sequence[str] = DEFAULT_DISTANCES,
    segments: Sequence[Segment] = (),
    model: str = "vectors",
) -> Iterator[Outcomes]:
    """Say what vectors that are at hand predict for each trial, with each distance.

    Args:
        vectors: (n, D), a vector for each of ``trials.images``, in their order.
        trials: the trials.
        distances: names.
        segments: of the vectors, for the distances by segment.
        model: the label.

    Yields:
        Outcomes for each distance, in order.

    Raises:
        SimilarityError: a distance cannot be computed.
    """
    pairs = ComparedPairs.of(trials)
    rows = None if pairs.used.size == len(vectors) else pairs.used
    yield from _outcomes(HeldColumns(vectors, rows), pairs, distances, model, segments)


def _outcomes(
    columns: Columns,
    trials: ComparedPairs,
    distances: Sequence[str],
    model: str,
    segments: Sequence[Segment],
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Outcomes]:
    wanted = [distance_named(name) for name in distances]
    names = trials.trials.images[trials.used]
    measured = measure(columns, trials.pairs, wanted, segments, names, advance=advance)
    settler = Settler(columns, trials.pairs, segments)
    for distance, values in zip(wanted, measured, strict=True):
        credit = credit_of(trials, values, partial(settler.ranks, distance.name))
        yield Outcomes(model, distance.name, trials.trials, credit)

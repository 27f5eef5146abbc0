"""Scoring: outcomes from embeddings and trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from simtool.scoring.columns import Columns, HeldColumns, columns_of, least_memory
from simtool.scoring.credit import credit_of
from simtool.scoring.distances import SimilarityError, distance_named
from simtool.scoring.measuring import measure
from simtool.scoring.pairs import ComparedPairs
from simtool.scoring.settling import Settler
from simtool.system.memory import available_memory, used_memory
from simtool.tables.embeddings import EmbeddingTable, Segment
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["DEFAULT_DISTANCES", "room_for_vectors", "score_table", "score_vectors"]

DEFAULT_DISTANCES = ("mse", "cosine")
#: The share of the free memory that is used by default.
_SHARE = 0.5
#: The free memory that is assumed if the system does not report it.
_UNKNOWN = 8 << 30


def score_table(
    table: EmbeddingTable,
    trials: ComparedPairs,
    distances: Sequence[str] = DEFAULT_DISTANCES,
    model: str | None = None,
    memory: int | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Outcomes]:
    """Score a table of embeddings on trials; yields the outcomes for each distance, in order. The table is read once.

    Args:
        table: embeddings.
        trials: the trials with their pairs (:meth:`ComparedPairs.of`), which serve several tables.
        distances: names of distances.
        model: the label of the model; None for the name of the table.
        memory: the most bytes of this process; None for half of the free memory.
        advance: called with the number of columns after each block.

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
    """Score vectors in memory on trials; yields the outcomes for each distance, in order.

    Args:
        vectors: (n, D), a vector for each of ``trials.images``, in their order.
        trials: the trials.
        distances: names of distances.
        segments: the segments of the vectors, for distances by segment.
        model: the label of the model.

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


def room_for_vectors(trials: ComparedPairs, distances: int, memory: int | None = None) -> int:
    """The bytes that vectors and the work on them may take, next to the memory of the trials.

    Args:
        trials: the trials, with their pairs.
        distances: the number of distances.
        memory: the most bytes of this process; None for half of the free memory, or more if the trials need it.

    Raises:
        SimilarityError: the memory is too small; the message says how much is enough.
    """
    footprint = trials.footprint(distances)
    least = footprint + least_memory(trials.used.size)
    if memory is None:
        free = available_memory()
        free = _UNKNOWN if free is None else free
        if least > free:
            raise SimilarityError(
                f"these trials need {least / 1e6:,.0f} MB of memory, {free / 1e6:,.0f} MB are free; "
                "fewer trials or distances at a time need less"
            )
        return max(least, int(_SHARE * free)) - footprint
    taken = used_memory()
    if taken + least > memory:
        # With a reserve for other uses of memory by the process.
        enough = -(-(taken + least) * 11 // 10 >> 20)
        raise SimilarityError(
            f"--memory is too little with {memory / 1e6:,.0f} MB: {taken / 1e6:,.0f} MB are in use already, and these "
            f"trials need {least / 1e6:,.0f} MB; --memory {enough}M would do"
        )
    return memory - taken - footprint

"""Scoring: outcomes from embeddings and trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.columns import Columns, HeldColumns, columns_of, free_memory, least_memory
from simtool.scoring.credit import credit_of
from simtool.scoring.distances import Distance, SimilarityError, distance_named
from simtool.scoring.measuring import Names, check_segments, measure
from simtool.scoring.pairs import ComparedPairs
from simtool.scoring.plan import Plan
from simtool.scoring.screening import is_screened, screen
from simtool.scoring.settling import Settler
from simtool.system.memory import used_memory
from simtool.tables.embeddings import EmbeddingTable, Segment
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["DEFAULT_DISTANCES", "room_for_vectors", "score_table", "score_vectors"]

DEFAULT_DISTANCES = ("mse", "cosine")
#: The share of the free memory that is used by default.
_SHARE = 0.5


def score_table(
    table: EmbeddingTable,
    plan: Plan,
    distances: Sequence[str] = DEFAULT_DISTANCES,
    model: str | None = None,
    memory: int | None = None,
    advance: Callable[[int], object] = lambda _: None,
) -> list[Outcomes]:
    """Score a table of embeddings on trials; returns the outcomes for each distance, in order. The table is read once.

    Args:
        table: embeddings.
        plan: of the trials (:meth:`Plan.of`), which serves several tables.
        distances: names of distances.
        model: the label of the model; None for the name of the table.
        memory: the most bytes of this process; None for half of the free memory.
        advance: called with the number of columns after each block.

    Raises:
        TableError: the table lacks an image that a trial shows, or a vector is faulty.
        SimilarityError: a distance cannot be computed; too little memory.
    """
    names = plan.trials.images[plan.used]
    room = room_for_vectors(plan, len(distances), memory)
    with columns_of(table, table.rows_of(names), room) as columns:
        try:
            return _outcomes(columns, plan, distances, model or table.info.name, table.info.segments, advance)
        except SimilarityError as failure:
            raise SimilarityError(f"{table.path}: {failure}") from failure


def score_vectors(
    vectors: NDArray[Any],
    trials: Trials,
    distances: Sequence[str] = DEFAULT_DISTANCES,
    segments: Sequence[Segment] = (),
    model: str = "vectors",
) -> list[Outcomes]:
    """Score vectors in memory on trials; returns the outcomes for each distance, in order.

    Args:
        vectors: (n, D), a vector for each of ``trials.images``, in their order.
        trials: the trials.
        distances: names of distances.
        segments: the segments of the vectors, for distances by segment.
        model: the label of the model.

    Raises:
        SimilarityError: a distance cannot be computed.
    """
    plan = Plan.of(trials)
    rows = None if plan.used.size == len(vectors) else plan.used
    return _outcomes(HeldColumns(vectors, rows), plan, distances, model, segments)


def _outcomes(
    columns: Columns,
    plan: Plan,
    distances: Sequence[str],
    model: str,
    segments: Sequence[Segment],
    advance: Callable[[int], object] = lambda _: None,
) -> list[Outcomes]:
    wanted = [distance_named(name) for name in distances]
    check_segments(wanted, segments)
    names = plan.trials.images[plan.used]
    screened = [distance for distance in wanted if is_screened(distance)]
    credit = {each: np.full(plan.trials.comparisons, np.nan, np.float32) for each in wanted if not is_screened(each)}
    if screened:
        credit |= zip(screened, screen(columns, plan, screened, names, advance), strict=True)
    _decide(credit, columns, plan, segments, names, (lambda _: None) if screened else advance)
    return [Outcomes(model, distance.name, plan.trials, credit[distance]) for distance in wanted]


def _decide(
    credit: dict[Distance, NDArray[np.float32]],
    columns: Columns,
    plan: Plan,
    segments: Sequence[Segment],
    names: Names,
    advance: Callable[[int], object],
) -> None:
    """Replace NaN in the credit of each distance, (C,), by measuring the pairs of these comparisons."""
    undecided = {distance: mask for distance, own in credit.items() if (mask := np.isnan(own)).any()}
    if not undecided:
        return
    mask = np.logical_or.reduce([*undecided.values()])
    compared = ComparedPairs.of(plan.some(mask), plan.display.position, plan.used.size)
    settler = Settler(columns, compared.pairs, segments)
    measured = measure(columns, compared.pairs, [*undecided], segments, names, advance)
    for distance, values in zip(undecided, measured, strict=True):
        credit[distance][mask] = credit_of(compared, values, partial(settler.ranks, distance.name))


def room_for_vectors(plan: Plan, distances: int, memory: int | None = None) -> int:
    """The bytes that vectors and the work on them may take, next to the memory of the trials.

    Args:
        plan: of the trials.
        distances: the number of distances.
        memory: the most bytes of this process; None for half of the free memory, or more if the trials need it.

    Raises:
        SimilarityError: the memory is too small; the message says how much is enough.
    """
    footprint = plan.footprint(distances)
    least = footprint + least_memory(plan.used.size)
    if memory is None:
        free = free_memory()
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

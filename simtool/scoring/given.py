"""Credit by distances that a table gives for pairs of images, without vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.distances import SimilarityError
from simtool.scoring.pairs import Codes, look_up
from simtool.scoring.plan import STEP, Plan
from simtool.scoring.scoring import room_for_vectors
from simtool.system.threads import in_threads
from simtool.tables.distances import DistanceTable, Pairs
from simtool.tables.outcomes import Outcomes
from simtool.text import counted

__all__ = ["GIVEN", "score_distances", "values_of"]

#: The name of the distance of a table of distances.
GIVEN = "given"


def score_distances(
    table: DistanceTable, plan: Plan, model: str | None = None, memory: int | None = None
) -> list[Outcomes]:
    """Score a table of distances on trials: the outcomes by the one distance that it has.

    The distance of a comparison begins at the anchor. Distances are compared as they are: equal ones are ties.

    Args:
        table: distances of pairs.
        plan: of the trials (:meth:`Plan.of`), which serves several tables.
        model: the label of the model; None for the name of the table.
        memory: the most bytes of this process; None for half of the free memory.

    Raises:
        TableError: the table lacks an image that a trial shows.
        SimilarityError: the table lacks a pair that is compared; too little memory.
    """
    room_for_vectors(plan, 1, memory)
    values = values_of(table, plan, np.array(table.match(plan.trials.images[plan.used]).rows))
    credit = np.empty(plan.trials.comparisons, np.float32)
    in_threads(lambda start, stop: _judge(plan, values, credit, start, stop), plan.first.size)
    if np.isnan(credit).any():
        raise SimilarityError(_lacking(table, plan, values, np.isnan(credit)))
    return [Outcomes(model or table.info.name, GIVEN, plan.trials, credit)]


def values_of(table: DistanceTable, plan: Plan, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The distance of each pair by its number in the plan, NaN without one.

    Args:
        table: P distances.
        plan: of n used images.
        rows: (n,) the positions of the used images in the table.

    Returns:
        (1, numbers), or (2, numbers) if the direction counts: from the smaller position among the used images, and
        from the larger.
    """
    place = np.full(len(table.image_id), -1)
    place[rows] = np.arange(rows.size)
    left, right = place[table.first], place[table.second]
    used = (left >= 0) & (right >= 0)
    left, right, distance = left[used], right[used], table.distance[used]
    key = np.minimum(left, right) * rows.size + np.maximum(left, right)
    values = np.full(
        (1 if table.info.symmetric else 2, rows.size**2 if plan.numbers.dense else len(plan.pairs)), np.nan
    )
    side = np.where(left > right, len(values) - 1, 0)
    if plan.numbers.dense:
        values[side, key] = distance
        return values
    wanted = plan.pairs.first.astype(np.int64) * rows.size + plan.pairs.second
    order = np.argsort(wanted)
    found = np.searchsorted(wanted, key, sorter=order)
    number = order[np.minimum(found, order.size - 1)]
    mentioned = wanted[number] == key
    values[side[mentioned], number[mentioned]] = distance[mentioned]
    return values


def _judge(plan: Plan, values: NDArray[np.float64], credit: NDArray[np.float32], start: int, stop: int) -> None:
    """Judge the comparisons of some steps of trials; NaN without a distance."""
    for step in range(start, stop):
        rows = np.arange(step * STEP, min((step + 1) * STEP, len(plan.trials)))
        found = plan.selections.comparisons(plan.trials, rows)
        near, far = (_between(plan, values, found.anchor, end) for end in (found.near, found.far))
        own = credit[plan.first[step] :][: len(found)]
        own[:] = np.where(near == far, 0.5, near < far)
        own[np.isnan(near) | np.isnan(far)] = np.nan


def _between(plan: Plan, values: NDArray[np.float64], anchor: Codes, other: Codes) -> NDArray[np.float64]:
    """The distances from anchors to other images, which are positions in ``Trials.images``."""
    left, right = plan.display.position[anchor], plan.display.position[other]
    number = np.empty(left.size, np.int64)
    look_up(plan.numbers, left, right, number)
    return values[np.where(left > right, len(values) - 1, 0), number]


def _lacking(table: DistanceTable, plan: Plan, values: NDArray[np.float64], wanted: NDArray[np.bool_]) -> str:
    """A message about pairs that comparisons need and the table lacks."""
    compared = plan.some(wanted)
    anchor = np.concatenate([compared.anchor, compared.anchor])
    other = np.concatenate([compared.near, compared.far])
    absent = np.isnan(_between(plan, values, anchor, other))
    one, two = anchor[absent], other[absent]
    if table.info.symmetric:
        one, two = np.minimum(one, two), np.maximum(one, two)
    images = plan.trials.images
    first, second = np.divmod(np.unique(one.astype(np.int64) * len(images) + two), len(images))
    pairs = Pairs(images, first.astype(np.int32), second.astype(np.int32), np.full(first.size, np.nan))
    names = pairs.named(np.arange(first.size), table.info.symmetric)
    return f"{table.path}: lacks {counted(first.size, 'pairs')} that the trials compare: {names}"

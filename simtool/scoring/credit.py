"""What distances say about a trial: the credit of each comparison, and of the selection as a whole.

A model that finds two references equally near to the query guesses between them, so a tied comparison has credit
1/2, and a selection the chance that it results when ties are broken at random. Two distances that are closer than
their errors are compared by their ranks, which exact arithmetic gives (:mod:`simtool.scoring.settling`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.distances import Measured
from simtool.scoring.pairs import Display, TrialPairs
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads

__all__ = ["Credits", "Settle", "credits_of"]

#: Gives the ranks of the distances of some pairs, (P,), where (P,) says which pairs; the others' ranks do not matter.
Settle: TypeAlias = Callable[[NDArray[np.bool_]], NDArray[np.int64]]


@dataclass(frozen=True)
class Credits:
    """The credits of T trials.

    Attributes:
        comparisons: (T, most comparisons) 1 right, 1/2 tied, 0 wrong, NaN behind the end; the contract's order.
        top_1: (T,) the chance that the nearest reference is the first choice (unranked: one of the selected).
        ordered: (T,) the chance that the nearest ones are the selected ones in their order.
        unordered: (T,) the chance that the nearest ones are the selected ones, in any order.
    """

    comparisons: NDArray[np.float32]
    top_1: NDArray[np.float32]
    ordered: NDArray[np.float32]
    unordered: NDArray[np.float32]


def credits_of(trials: TrialPairs, measured: Measured, settle: Settle) -> Credits:
    """Judge every trial by the distances of its pairs.

    Args:
        trials: the trials, with their pairs.
        measured: the distances of the pairs.
        settle: asked, at most once, for the pairs whose distances are closer to another's than the errors of both.
    """
    count = len(trials.trials)
    most = max(display.kind.comparisons for display in trials.displays)
    credits = Credits(np.empty((count, most), np.float32), *(np.empty(count, np.float32) for _ in range(3)))
    unsettled = np.zeros(len(trials.pairs), np.bool_)
    nothing = np.empty(0, np.int64)
    for display in trials.displays:
        _judge(display, measured, nothing, unsettled, credits)
    if unsettled.any():
        ranks = settle(unsettled)
        for display in trials.displays:
            _judge(display, measured, ranks, unsettled, credits)
    return credits


def _judge(
    display: Display, measured: Measured, ranks: NDArray[np.int64], unsettled: NDArray[np.bool_], credits: Credits
) -> None:
    def work(start: int, stop: int) -> None:
        _judge_rows(
            measured.value,
            measured.size,
            measured.tolerance,
            ranks,
            unsettled,
            display.slots,
            display.selected,
            display.kind.word == "rank",
            display.rows,
            start,
            stop,
            credits.comparisons,
            credits.top_1,
            credits.ordered,
            credits.unordered,
        )

    in_threads(work, len(display.rows), least=4096)


@compiled
def _judge_rows(
    value: NDArray[np.float64],
    size: NDArray[np.float64],
    tolerance: float,
    ranks: NDArray[np.int64],
    unsettled: NDArray[np.bool_],
    slots: NDArray[np.int32],
    selected: NDArray[np.int8],
    ranked: bool,
    rows: NDArray[np.intp],
    start: int,
    stop: int,
    comparisons: NDArray[np.float32],
    top_1: NDArray[np.float32],
    ordered: NDArray[np.float32],
    unordered: NDArray[np.float32],
) -> None:
    """Judge the trials ``start`` to ``stop`` of one type, and write to their ``rows`` of the results.

    Without ranks, distances that are too close to tell are marked as unsettled, and count as tied for the time being.
    """
    n_reference, n_select = slots.shape[1], selected.shape[1]
    near, error, place_of = np.empty(n_reference), np.empty(n_reference), np.zeros(n_reference, np.int64)
    chosen, rank = np.empty(n_reference, np.bool_), np.empty(n_reference, np.int64)
    for trial in range(start, stop):
        row, column, in_order, tied = rows[trial], 0, 1.0, False
        for one in range(n_reference):
            near[one], error[one] = value[slots[trial, one]], tolerance * size[slots[trial, one]]
            chosen[one], rank[one] = False, n_select
            if ranks.size:
                place_of[one] = ranks[slots[trial, one]]
        for place in range(n_select):
            chosen[selected[trial, place]], rank[selected[trial, place]] = True, place
        for place in range(n_select):
            choice, share = selected[trial, place], 1.0
            for other in range(n_reference):
                if rank[other] <= place:
                    continue
                credit = _credit(near, error, place_of, choice, other)
                share = _with_rival(share, credit)
                tied = tied or credit == 0.5
                if ranked or not chosen[other]:
                    comparisons[row, column] = credit
                    column += 1
            in_order *= share
            if place == 0:
                top_1[row] = share
        if tied and tolerance > 0 and ranks.size == 0:
            _mark(near, error, slots[trial], unsettled)
        comparisons[row, column:] = np.nan
        ordered[row] = in_order
        if n_select == 1:
            unordered[row] = in_order
        else:
            unordered[row] = _chance_of_set(near, error, place_of, chosen)
            if not ranked:
                top_1[row] = _chance_of_one(near, error, place_of, chosen)


@compiled
def _mark(
    near: NDArray[np.float64], error: NDArray[np.float64], slots: NDArray[np.int32], unsettled: NDArray[np.bool_]
) -> None:
    """Mark the pairs of a trial whose distances are too close to tell."""
    for one in range(near.size):
        for other in range(one):
            # Not the opposite of >, which a NaN would pass.
            if not abs(near[one] - near[other]) > error[one] + error[other] and slots[one] != slots[other]:
                unsettled[slots[one]] = unsettled[slots[other]] = True


@compiled
def _credit(
    near: NDArray[np.float64], error: NDArray[np.float64], place_of: NDArray[np.int64], choice: int, other: int
) -> float:
    """1 if the choice is nearer, 1/2 if the two are tied, 0 if the other is nearer."""
    if abs(near[choice] - near[other]) > error[choice] + error[other]:
        return 1.0 if near[choice] < near[other] else 0.0
    if place_of[choice] == place_of[other]:
        return 0.5
    return 1.0 if place_of[choice] < place_of[other] else 0.0


@compiled
def _with_rival(share: float, credit: float) -> float:
    """The chance 1/m of one among m tied, when another reference turns up: nearer, tied, or farther."""
    if credit == 0.5:
        return share / (1 + share)
    return share * credit


@compiled
def _chance_of_set(
    near: NDArray[np.float64],
    error: NDArray[np.float64],
    place_of: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> float:
    """The chance that the nearest K references are the chosen ones.

    Those tied with the farthest chosen one, r chosen and t others, share the last r places: 1 / (r + t choose r).
    """
    farthest = -1
    for one in range(chosen.size):
        if chosen[one] and (farthest < 0 or _credit(near, error, place_of, one, farthest) == 0.0):
            farthest = one
    tied_chosen, tied_others = 0, 0
    for one in range(chosen.size):
        credit = _credit(near, error, place_of, farthest, one)
        if chosen[one]:
            tied_chosen += credit == 0.5
        elif credit == 0.0:
            return 0.0
        else:
            tied_others += credit == 0.5
    chance = 1.0
    for place in range(1, tied_chosen + 1):
        chance *= place / (tied_others + place)
    return chance


@compiled
def _chance_of_one(
    near: NDArray[np.float64],
    error: NDArray[np.float64],
    place_of: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> float:
    """The chance that the nearest reference is a chosen one: their part of those tied for the first place."""
    nearest = 0
    for one in range(chosen.size):
        if _credit(near, error, place_of, one, nearest) == 1.0:
            nearest = one
    tied, hits = 0, 0
    for one in range(chosen.size):
        if _credit(near, error, place_of, nearest, one) == 0.5:
            tied += 1
            hits += chosen[one]
    return hits / tied

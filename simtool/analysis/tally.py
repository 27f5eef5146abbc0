"""Triplet accuracy by trial type, counted from outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from simtool.designs import Odd
from simtool.tables.outcomes import Outcomes

__all__ = ["Tally", "below_chance", "tally"]

#: A model with a lower accuracy than this, on at least this many comparisons, is worse than a poor model.
_LOW, _ENOUGH = 0.35, 31
#: The same for odd-one-out trials: if another image is taken for the odd one, one of two comparisons stays near chance.
_LOW_ODD, _ENOUGH_ODD = 0.42, 400


@dataclass(frozen=True)
class Tally:
    """The comparisons of one model, distance and trial type.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trials: the trial type, or ``all``.
        accuracy: mean credit of the comparisons.
        comparisons: number of comparisons.
        ties: number of tied comparisons.
        are_odd: whether all trials are odd-one-out judgments.
    """

    model: str
    distance: str
    trials: str
    accuracy: float
    comparisons: int
    ties: int
    are_odd: bool = False


def tally(outcomes: Outcomes) -> Iterator[Tally]:
    """Count the outcomes of one model and distance: by trial type, and in total if there are several types."""
    trials = outcomes.trials
    kinds = sorted((kind for kind in trials.types if trials.of_type(kind).size), reverse=True)
    groups = [(str(kind), outcomes.of_type(kind), isinstance(kind, Odd)) for kind in kinds]
    if len(groups) > 1:
        groups.append(("all", outcomes.credit, all(isinstance(kind, Odd) for kind in kinds)))
    for name, credit, are_odd in groups:
        accuracy, ties = float(credit.mean(dtype=np.float64)), int(np.count_nonzero(credit == 0.5))
        yield Tally(outcomes.model, outcomes.distance, name, accuracy, credit.size, ties, are_odd)


def below_chance(tallies: Iterable[Tally]) -> list[Tally]:
    """The models and distances that are wrong so often that the trials may mean the opposite.

    Args:
        tallies: the last tally of each model and distance counts all of its comparisons.
    """
    whole = {(one.model, one.distance): one for one in tallies}
    return [one for one in whole.values() if _is_doubtful(one)]


def _is_doubtful(whole: Tally) -> bool:
    limits = [(_ENOUGH, _LOW), *([(_ENOUGH_ODD, _LOW_ODD)] if whole.are_odd else [])]
    return any(whole.comparisons >= enough and whole.accuracy < low for enough, low in limits)

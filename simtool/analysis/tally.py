"""Triplet accuracy by trial type, counted from outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from simtool.tables.outcomes import Outcomes

__all__ = ["Tally", "below_chance", "tally"]

#: A model that predicts less than this share of so many comparisons or more is not just a poor one.
_LOW, _ENOUGH = 0.35, 31


@dataclass(frozen=True)
class Tally:
    """The comparisons of one model, distance and trial type.

    Attributes:
        model: the label of the embeddings.
        distance: by name.
        trials: the type of trials, or ``all``.
        accuracy: credits pooled over comparisons.
        comparisons: how many.
        ties: how many of them were tied.
    """

    model: str
    distance: str
    trials: str
    accuracy: float
    comparisons: int
    ties: int


def tally(outcomes: Outcomes) -> Iterator[Tally]:
    """Count the outcomes of one model and distance: by trial type, and of several types also all together."""
    trials = outcomes.trials
    kinds = sorted((kind for kind in trials.types if trials.of_type(kind).size), reverse=True)
    groups = [(str(kind), outcomes.of_type(kind)) for kind in kinds]
    credit, count, ties = 0.0, 0, 0
    for name, credits in groups:
        own, tied = float(credits.sum(dtype=np.float64)), int(np.count_nonzero(credits == 0.5))
        yield Tally(outcomes.model, outcomes.distance, name, own / credits.size, credits.size, tied)
        credit, count, ties = credit + own, count + credits.size, ties + tied
    if len(groups) > 1:
        yield Tally(outcomes.model, outcomes.distance, "all", credit / count, count, ties)


def below_chance(tallies: Iterable[Tally]) -> list[Tally]:
    """The models and distances whose predictions are so often wrong that the trials may mean the opposite.

    Args:
        tallies: of which the last one of each model and distance counts all of its comparisons.
    """
    whole = {(one.model, one.distance): one for one in tallies}
    return [one for one in whole.values() if one.comparisons >= _ENOUGH and one.accuracy < _LOW]

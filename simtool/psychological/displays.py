"""Trials of one type and one group of participants, as columns of pairs of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.choice import ChoiceRule, rule_of
from simtool.choice.rule import Floats
from simtool.psychological.similarity import Codes
from simtool.scoring.pairs import Pairs
from simtool.system.compiled import compiled
from simtool.tables.trials import Trials

__all__ = ["Displays", "displays_of"]


@dataclass(frozen=True)
class Displays:
    """The pairs that t trials compare, and what was selected.

    Attributes:
        rule: the choice rule of the type of these trials.
        kind: the position of the type in ``Trials.types``.
        group: the group of participants, from 0.
        rows: (t,) positions of the trials.
        pairs: P distinct pairs of images.
        pair: (t, M) the pair of each similarity that the rule reads.
        selected: (t, K) positions among the references.
    """

    rule: ChoiceRule
    kind: int
    group: int
    rows: NDArray[np.intp]
    pairs: Pairs
    pair: Codes
    selected: NDArray[np.integer[Any]]

    def spread(self, of_pairs: Floats) -> Floats:
        """The values of pairs, (P,), at their places in the trials, (t, M)."""
        return of_pairs[self.pair]

    def collected(self, of_trials: Floats) -> Floats:
        """The sums for each pair, (P,), of values in the trials, (t, M)."""
        sums = np.zeros(len(self.pairs))
        _collect(self.pair.ravel(), of_trials.ravel(), sums)
        return sums


@compiled
def _collect(pair: Codes, values: Floats, sums: Floats) -> None:
    for item in range(pair.size):
        sums[pair[item]] += values[item]


def displays_of(trials: Trials, groups: NDArray[np.integer[Any]]) -> Iterator[Displays]:
    """Sort trials by type and group.

    Args:
        trials: T trials.
        groups: (T,) the group of participants of each trial, from 0.

    Raises:
        ChoiceError: a type has no choice rule.
    """
    for number, kind in enumerate(trials.types):
        for group in np.unique(groups[trials.type_index == number]):
            rows = np.flatnonzero((trials.type_index == number) & (groups == group))
            rule = rule_of(kind)
            shown = np.column_stack([trials.references[rows, : kind.n_reference], trials.query[rows]])  # query at -1
            left, right = (shown[:, places] for places in rule.pairs)
            pairs, pair = Pairs.of(left.ravel(), right.ravel(), len(trials.images))
            selected = trials.selected[rows, : kind.n_select]
            yield Displays(rule, number, int(group), rows, pairs, pair.reshape(left.shape), selected)

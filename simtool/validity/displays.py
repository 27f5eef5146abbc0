"""The pairs of images that trials show, their distances, and what follows from them for any selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.choice import ChoiceRule, rule_of
from simtool.tables.trials import Trials

__all__ = ["Compared", "Display", "Displays", "Distances"]

Floats: TypeAlias = NDArray[np.float64]
#: The distances of the M pairs of each display, (t, M), for each type of trials.
Distances: TypeAlias = Sequence[Floats]
#: For each type of trials, the pairs of each comparison that people judged nearer, and farther: (t, C) numbers below M.
Compared: TypeAlias = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]

#: Pairs whose distances are computed at once.
_STEP = 1 << 14


@dataclass(frozen=True)
class Display:
    """The t trials of one type.

    Attributes:
        rule: the rule of choice, which names the M pairs of places that matter.
        rows: (t,) positions in the table of trials.
        first: (t, M) the first image of each pair: positions in ``Trials.images``.
        second: (t, M) the second image.
        number: (N + 1, N + 1) the number of the pair of two places; the query is the last place.
    """

    rule: ChoiceRule
    rows: NDArray[np.intp]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    number: NDArray[np.intp]

    def compared(self, selected: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The numbers of the pairs that a selection, (t, K), declares nearer, and farther: (t, C) each."""
        kind, count = self.rule.kind, len(selected)
        references = np.broadcast_to(np.arange(kind.n_reference, dtype=np.int32), (count, kind.n_reference))
        anchor, near, far = kind.compare(np.full(count, -1, np.int32), references, selected)
        return self.number[anchor, near], self.number[anchor, far]


class Displays:
    """The displays of some trials, type by type.

    Args:
        trials: T trials over n images.

    Raises:
        ChoiceError: a type of trials has no rule of choice.
    """

    def __init__(self, trials: Trials) -> None:
        self.trials = trials
        self.parts = [
            _display(trials, place) for place in range(len(trials.types)) if (trials.type_index == place).any()
        ]
        self._start = np.cumsum(trials.implied) - trials.implied

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def images(self) -> NDArray[np.intp]:
        """The positions of the images that the trials show, ascending."""
        shown = np.zeros(len(self.trials.images), bool)
        for part in self.parts:
            shown[part.first] = shown[part.second] = True
        return np.flatnonzero(shown)

    def between(self, points: Floats) -> list[Floats]:
        """The Euclidean distances of the pairs of each display.

        Args:
            points: (n, D) the position of each image.
        """
        return [_between(points, part) for part in self.parts]

    def look_up(self, matrix: Floats) -> list[Floats]:
        """The distances of the pairs of each display from those of all pairs of images, (n, n)."""
        return [matrix[part.first, part.second] for part in self.parts]

    def with_selections(self, selections: Sequence[NDArray[np.integer]]) -> Trials:
        """The trials with other selections: (t, K) positions among the references, for each type."""
        selected = np.full_like(self.trials.selected, -1)
        for part, own in zip(self.parts, selections, strict=True):
            selected[part.rows, : own.shape[1]] = own
        return replace(self.trials, selected=selected)

    def selections(self, trials: Trials) -> list[NDArray[np.int8]]:
        """The selections of trials with these displays: (t, K) positions among the references, for each type."""
        return [trials.selected[part.rows, : part.rule.kind.n_select] for part in self.parts]

    def compared(self, selections: Sequence[NDArray[np.integer]]) -> Compared:
        """The pairs that selections compare; they serve the credit of every model."""
        return [part.compared(own) for part, own in zip(self.parts, selections, strict=True)]

    def credit(self, compared: Compared, distances: Distances) -> NDArray[np.float32]:
        """The credit of each comparison, (C,), in the order of a table of outcomes: 1 right, 1/2 tied, 0 wrong."""
        credit = np.empty(self.trials.comparisons, np.float32)
        for part, (near, far), own in zip(self.parts, compared, distances, strict=True):
            gap = np.take_along_axis(own, far, axis=1) - np.take_along_axis(own, near, axis=1)
            places = self._start[part.rows, np.newaxis] + np.arange(near.shape[1])
            credit[places] = (np.sign(gap) + 1) / 2
        return credit


def _display(trials: Trials, place: int) -> Display:
    kind = trials.types[place]
    rule, rows = rule_of(kind), np.flatnonzero(trials.type_index == place)
    shown = np.column_stack([trials.references[rows, : kind.n_reference], trials.query[rows]])  # the query is at -1
    one, other = rule.pairs
    number = np.full((kind.n_reference + 1, kind.n_reference + 1), -1, np.intp)
    number[one, other] = number[other, one] = np.arange(one.size)
    return Display(rule, rows, shown[:, one], shown[:, other], number)


def _between(points: Floats, part: Display) -> Floats:
    found = np.empty(part.first.shape)
    for start in range(0, len(found), _STEP):
        rows = slice(start, start + _STEP)
        gap = points[part.first[rows]] - points[part.second[rows]]
        found[rows] = np.sqrt(np.einsum("tmd,tmd->tm", gap, gap))
    return found

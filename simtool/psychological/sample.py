"""Trials with the group of participants that judged each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simtool.psychological.displays import Displays, displays_of
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """T trials and their groups.

    Attributes:
        trials: the trials.
        group: (T,) positions in ``groups``.
        groups: the names of the groups; one group without a name where participants are not told apart.
    """

    trials: Trials
    group: NDArray[np.intp]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, trials: Trials, groups: Labels | None = None) -> Self:
        """Pair trials with groups, all of which are named; without ``groups`` all trials are of one group."""
        if groups is None:
            return cls(trials, np.zeros(len(trials), np.intp), ("",))
        names, group = np.unique(groups.code, return_inverse=True)
        known = groups.names.to_pylist()
        return cls(trials, group, tuple(known[code] for code in names))

    def __len__(self) -> int:
        return len(self.trials)

    def take(self, rows: NDArray[np.bool_]) -> Sample:
        """Some of the trials, with the same images, types and groups."""
        return replace(self, trials=self.trials.take(rows), group=self.group[rows])

    def selecting(self, selected: NDArray[np.integer[Any]]) -> Sample:
        """The same displays with other selections, (T, longest)."""
        return replace(self, trials=replace(self.trials, selected=selected.astype(np.int8)))

    def displays(self) -> Sequence[Displays]:
        """The trials, sorted by type and group."""
        return tuple(displays_of(self.trials, self.group))

    def shown(self) -> NDArray[np.bool_]:
        """(n,) which images the trials show."""
        shown = np.zeros(len(self.trials.images), bool)
        for codes in (self.trials.query, self.trials.references):
            shown[codes[codes >= 0]] = True
        return shown

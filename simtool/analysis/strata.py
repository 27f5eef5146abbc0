"""Strata: named parts of the data. A report has rows for each stratum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.judgments.comparisons import Comparisons
from simtool.tables.trials import Trials

__all__ = ["ALL", "Mask", "Stratum", "cells_of", "divided", "strata_of"]

Mask: TypeAlias = NDArray[np.bool_]

#: The name of the stratum that holds all trials.
ALL = "all"


@dataclass(frozen=True)
class Stratum:
    """A name and a mask. Strata may overlap.

    Attributes:
        name: shown in reports, for example ``all`` or ``8-rank-2``.
        mask: the members: (T,) over trials or (C,) over comparisons.
        trial_type: the type of the trials if the stratum holds whole trials of a single type; else None. Metrics of
            whole trials are computed on such strata only, because their chance depends on the type.
        within: the larger stratum that this one is a part of; None for all trials and for trial types.
        by: what divides the larger stratum: :data:`~simtool.analysis.labels.LABELS`, or a column of the trials.
    """

    name: str
    mask: Mask
    trial_type: TrialType | None = None
    within: str | None = None
    by: str | None = None

    def over(self, comparisons: Comparisons) -> Mask:
        """The mask over comparisons, (C,)."""
        # If there are as many trials as comparisons, each trial implies one comparison, and both masks are the same.
        return self.mask if len(self.mask) == len(comparisons) else self.mask[comparisons.trial]


def strata_of(trials: Trials) -> list[Stratum]:
    """The strata of a report: all trials, and the trials of each type that occurs."""
    masks = [(kind, trials.type_index == at) for at, kind in enumerate(trials.types)]
    whole = Stratum(ALL, np.ones(len(trials), bool))
    return [whole, *(Stratum(str(kind), mask, kind) for kind, mask in masks if mask.any())]


def divided(whole: Stratum, parts: Iterable[Stratum], by: str, comparisons: Comparisons) -> list[Stratum]:
    """The parts of a stratum that some strata divide it into: those that have members.

    Args:
        whole: the stratum.
        parts: strata that do not overlap and together hold everything.
        by: what they are divided by.
        comparisons: the comparisons of all trials.
    """
    inside = whole.over(comparisons)
    masks = ((part.name, part.over(comparisons) & inside) for part in parts)
    return [Stratum(name, mask, within=whole.name, by=by) for name, mask in masks if mask.any()]


def cells_of(masks: Sequence[Mask]) -> tuple[NDArray[np.int32], list[NDArray[np.intp]]]:
    """Make the finest partition of N members by masks, (N,) each. Members of a cell are in the same strata.

    Returns:
        The cell of each member, (N,), counted from 0; and for each mask the cells that it pools.
    """
    code, count = np.zeros(len(masks[0]), np.int32), 1
    for mask in masks:
        code = 2 * code + mask
        used = np.bincount(code, minlength=2 * count) > 0
        place = np.cumsum(used, dtype=np.int32) - np.int32(1)
        code, count = place[code], int(used.sum())
    pooled = [np.flatnonzero(np.bincount(code[mask], minlength=count)) for mask in masks]
    return code, pooled

"""The labels of the images of comparisons: strata by the labels of the display, and models that know labels only.

A stratum depends on the display (the anchor and the two other images), never on the choice. If it depended on the
choice, a model that knows the labels would be right in all of one stratum by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.strata import Mask, Stratum
from simtool.judgments.comparisons import Comparisons
from simtool.tables.labels import Labels
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["CLASS", "GROUP", "LABELS", "SAME", "SILENT", "Told", "label_strata", "oracles", "told"]

#: The name of the division into the strata of :func:`label_strata`.
LABELS = "labels"
#: The distance of :func:`oracles`: whether two images have the same label.
SAME = "same"
#: The strata: the class tells the two images apart, else the group does, else no label does.
CLASS, GROUP, SILENT = "class", "group", "silent"


@dataclass(frozen=True)
class Told:
    """How labels tell the two images of C comparisons apart.

    Attributes:
        by_class: (C,) 1 if only the nearer image shares the class of the anchor, 0 if only the farther image does, 1/2
            if both or neither do. An image of unknown class shares it with none.
        by_group: (C,) the same of groups.
    """

    by_class: NDArray[np.float32]
    by_group: NDArray[np.float32]

    @property
    def by_both(self) -> NDArray[np.float32]:
        """(C,) by class; where the class is silent, by group."""
        return np.where(self.by_class == 0.5, self.by_group, self.by_class)


def told(comparisons: Comparisons, classes: Labels | None, groups: Labels | None) -> Told:
    """Compare the labels of the images of C comparisons; ``classes`` and ``groups`` hold those of all images."""
    return Told(_credit(comparisons, classes), _credit(comparisons, groups))


def _credit(comparisons: Comparisons, labels: Labels | None) -> NDArray[np.float32]:
    if labels is None:
        return np.full(len(comparisons), 0.5, np.float32)
    anchor, near, far = (labels.code[each] for each in (comparisons.anchor, comparisons.near, comparisons.far))
    known = anchor >= 0
    credit = np.full(len(comparisons), 0.5, np.float32)
    credit[known & (anchor == near)] += 0.5
    credit[known & (anchor == far)] -= 0.5
    return credit


def label_strata(labels: Told) -> list[Stratum]:
    """Divide comparisons by what their labels tell; empty if labels tell nothing.

    Exactly one of the two images shares the class of the anchor; else exactly one shares its group; else labels are
    silent.
    """
    by_class: Mask = labels.by_class != 0.5
    by_group = ~by_class & (labels.by_group != 0.5)
    if not (by_class | by_group).any():
        return []
    return [Stratum(CLASS, by_class), Stratum(GROUP, by_group), Stratum(SILENT, ~(by_class | by_group))]


def oracles(trials: Trials, labels: Told) -> list[Outcomes]:
    """Models that know the labels of images only: their classes, their groups, and both (the class decides first).

    Labels that tell nothing have no oracle.

    Args:
        trials: the trials.
        labels: of all their comparisons.
    """
    credit = {"class labels": labels.by_class, "group labels": labels.by_group}
    found = {name: own for name, own in credit.items() if (own != 0.5).any()}
    if len(found) > 1:
        found["class and group labels"] = labels.by_both
    return [Outcomes(name, SAME, trials, own) for name, own in found.items()]

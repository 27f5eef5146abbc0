"""The units in which intervals resample images: single images, classes of images, groups of images, or none."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import ranks
from simtool.errors import UsageError
from simtool.judgments.classes import classes_of, groups_of
from simtool.tables.trials import Trials

__all__ = ["ImageUnits", "Units"]


class Units(StrEnum):
    """The units that differ between a study and its repetition, for which the intervals hold."""

    IMAGE = "image"
    CLASS = "class"
    GROUP = "group"
    NOTHING = "nothing"


_PLURAL = {Units.CLASS: "classes", Units.GROUP: "groups"}


class ImageUnits:
    """The unit that each image of some trials belongs to.

    Args:
        trials: the trials.
        shown: (n,) which images count.
        units: their kind. An image without a class, or without a group, is a unit.

    Raises:
        UsageError: the trials do not name classes.

    Attributes:
        code: (n,) the unit of each image, in the order of names.
        count: number of units; 0 if images are fixed.
    """

    def __init__(self, trials: Trials, shown: NDArray[np.bool_], units: Units) -> None:
        self.code, self.count, self._images = np.zeros(len(shown), np.int32), 0, 0
        if units is Units.NOTHING:
            return
        names: list[tuple[str, str]] = [("", name) for name in trials.images[shown].tolist()]
        if units in (Units.CLASS, Units.GROUP):
            labels = classes_of(trials) if units is Units.CLASS else groups_of(trials)
            if labels is None:
                raise UsageError(
                    f"--cluster {units}: the outcomes do not state the {_PLURAL[units]} of their images; score again "
                    "with --images IMAGES to add them"
                )
            names = [own if label is None else (label, "") for own, label in zip(names, labels[shown], strict=True)]
        self.code[shown], self.count = ranks(names)
        self._images = len(names)

    def of(self, images: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
        """The different units of N observations, (N, R); :attr:`count` in the place of a repetition.

        Args:
            images: R columns of images, (N,) each. The images of an observation differ.
        """
        units = np.empty((len(images[0]), len(images)), np.int32)
        for column, image in zip(units.T, images, strict=True):
            column[:] = self.code[image]
        if self.count < self._images:
            for place in range(1, len(images)):
                again = (units[:, :place] == units[:, place : place + 1]).any(axis=1)
                units[again, place] = self.count
        return units

"""Populations of images: positions in a latent space, in groups and classes, of which each study draws a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.classes import classes_of, groups_of
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials

__all__ = ["Population", "Redrawn"]

Floats: TypeAlias = NDArray[np.float64]

#: Dimensions of the latent space.
DIMENSIONS = 8
#: The share of the variance between groups, between the classes of a group, and between the images of a class.
SHARES = (0.3, 0.3, 0.4)


class Redrawn(StrEnum):
    """The difference between a study and its repetition, in addition to the people."""

    NOTHING = "same images"
    IMAGES = "new images"
    CLASSES = "new classes"
    GROUPS = "new groups"

    def includes(self, other: Redrawn) -> bool:
        """Whether all that differs by ``other`` differs: with new groups, classes and images are new, too."""
        order = list(Redrawn)
        return order.index(other) <= order.index(self)


@dataclass(frozen=True)
class Population:
    """Images of known classes and groups. Without these, all images are alike.

    Attributes:
        classes: (n,) the class of each image, counted from 0; None if no classes are known.
        groups: (n,) the group of each image, counted from 0; None if no groups are known.
        images: n.
    """

    classes: NDArray[np.int32] | None
    groups: NDArray[np.int32] | None
    images: int

    @classmethod
    def of(cls, trials: Trials) -> Population:
        """The classes and groups that the trials name (``score --images``).

        Raises:
            TableError: the columns of classes or groups are not valid.
        """
        return cls(_codes(classes_of(trials)), _codes(groups_of(trials)), len(trials.images))

    @property
    def repetitions(self) -> list[Redrawn]:
        """The kinds of repetition that the population knows."""
        known = [Redrawn.NOTHING, Redrawn.IMAGES]
        if self.classes is not None:
            known.append(Redrawn.CLASSES)
        if self.groups is not None:
            known.append(Redrawn.GROUPS)
        return known

    def draw(self, same: np.random.Generator, fresh: np.random.Generator, redrawn: Redrawn) -> Floats:
        """Draw positions, (n, DIMENSIONS), with a mean squared distance near 1.

        Args:
            same: draws what all repetitions share; it must be in the same state in each repetition.
            fresh: draws the rest.
            redrawn: what differs between the repetitions.
        """
        levels = zip(Redrawn, (None, np.arange(self.images), self.classes, self.groups), strict=True)
        points: Floats = np.zeros((self.images, DIMENSIONS))
        variance = 0.0
        for (level, code), share in zip(reversed(list(levels)), (*SHARES, 0.0), strict=True):
            variance += share
            if code is None:
                continue  # the next level has its variance, too
            generator = fresh if redrawn.includes(level) else same
            drawn = generator.standard_normal((int(code.max()) + 1, DIMENSIONS))
            points += math.sqrt(variance / (2 * DIMENSIONS)) * drawn[code]
            variance = 0.0
        return points


def _codes(labels: Labels | None) -> NDArray[np.int32] | None:
    """The number of each label, (n,); an image without a label has another number. None if fewer than 2 differ."""
    if labels is None:
        return None
    unnamed = labels.code < 0
    code = labels.code.copy()
    code[unnamed] = len(labels.names) + np.arange(np.count_nonzero(unnamed))
    number = np.unique(code, return_inverse=True)[1]
    return None if number.max(initial=0) < 1 or number.max() == len(number) - 1 else number.astype(np.int32)

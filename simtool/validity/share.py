"""A share of simulated studies, with its Monte Carlo error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Share"]


@dataclass(frozen=True)
class Share:
    """How many of some simulated studies have a property.

    Attributes:
        count: number of studies that have it.
        studies: number of studies.
    """

    count: int
    studies: int

    @classmethod
    def of(cls, found: Sequence[bool] | NDArray[Any]) -> Share:
        """Count the studies that have a property."""
        return cls(int(np.count_nonzero(found)), len(found))

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.studies

    @property
    def error(self) -> float:
        """The Monte Carlo standard error of the share.

        Two studies with the property and two without are added (Agresti & Coull 1998, The American Statistician 52,
        119-126), so that the error of a share of 0 or 1 is not 0.
        """
        share, studies = (self.count + 2) / (self.studies + 4), self.studies + 4
        return math.sqrt(share * (1 - share) / studies)

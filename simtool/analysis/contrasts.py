"""Contrasts: differences between any two models on the same judgments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.intervals import Difference, Estimates, holm

__all__ = ["Contrast", "Entry", "contrasts"]

#: A model and a distance.
Entry = tuple[str, str]


@dataclass(frozen=True)
class Contrast:
    """The accuracy of a model minus that of another one, in one metric and one stratum.

    Attributes:
        model: the other model.
        distance: its distance.
        difference: the difference and its test.
        tested: the size of the family: the number of differences that were tested together. A family holds the
            differences of one metric in one stratum, between models that were scored on the same trials.
        is_identical: whether both models have equal values everywhere. Such models are not tested.
    """

    model: str
    distance: str
    difference: Difference
    tested: int
    is_identical: bool = False


def contrasts(
    estimates: Estimates,
    entries: Sequence[Entry],
    pairs: Sequence[tuple[int, int]],
    first_equal: NDArray[np.integer],
    level: float,
) -> list[Contrast]:
    """Compare models, with Holm's adjustment over all differences that are tested.

    Args:
        estimates: of M models.
        entries: their M names.
        pairs: positions of a model and of the model to subtract.
        first_equal: (M,) the first model that has the same values.
        level: level of the intervals.

    Returns:
        A contrast for each pair.
    """
    identical = [bool(first_equal[one] == first_equal[other]) for one, other in pairs]
    found = [
        Difference(0.0) if same else each
        for same, each in zip(identical, estimates.differences(pairs, level), strict=True)
    ]
    adjusted = holm([each.p_value for each in found])
    tested = sum(p_value is not None for p_value in adjusted)
    return [
        Contrast(*entries[other], replace(each, p_holm=p_holm), tested, same)
        for (_, other), each, p_holm, same in zip(pairs, found, adjusted, identical, strict=True)
    ]

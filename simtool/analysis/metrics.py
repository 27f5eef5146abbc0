"""The table of metrics. A new metric is one entry in :data:`METRICS`. This module imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simtool.designs import TrialType

__all__ = ["METRICS", "TRIPLET_ACCURACY", "USUAL", "Metric", "OfTrials", "Order"]

Credit: TypeAlias = "NDArray[np.float32]"
Values: TypeAlias = "NDArray[np.floating]"
Positions: TypeAlias = "NDArray[np.integer]"
OfTrials: TypeAlias = "Callable[[TrialType, Credit, Positions], Values]"


@dataclass(frozen=True)
class Metric:
    """A way to count how much of the judgments a model predicts right, from 0 to 1.

    The credit of a comparison is 1 if the model predicts it, 1/2 for a tie and 0 otherwise.

    Attributes:
        name: name in options and files.
        label: name in tables and figures.
        chance: the expected value of guessing on trials of a type; None if the metric does not apply to the type.
        of_trials: the values of t trials of a type, (t,), from the credit of their C comparisons, (t, C), and the
            positions of the selected references, (t, K). None if the metric is the credit of each comparison.
        has_noise_ceiling: whether the noise ceiling limits the metric: that of comparisons, or that of sets of three
            images for a metric of trials.
    """

    name: str
    label: str
    chance: Callable[[TrialType], float | None]
    of_trials: OfTrials | None = None
    has_noise_ceiling: bool = False

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Callable[[str], Metric], tuple[str]]:
        return _named, (self.name,)  # pickled by name, because pickle takes no lambdas


def _score(name: str, label: str, has_noise_ceiling: bool = False) -> Metric:
    """A metric of whole trials that their designs define (:attr:`~simtool.designs.TrialType.scores`)."""
    return Metric(
        name,
        label,
        chance=lambda kind: kind.scores[name].chance if name in kind.scores else None,
        of_trials=lambda kind, credit, selected: kind.scores[name].of(credit, selected).astype("float32"),
        has_noise_ceiling=has_noise_ceiling,
    )


TRIPLET_ACCURACY = Metric("triplet_accuracy", "Triplet accuracy", chance=lambda _: 0.5, has_noise_ceiling=True)
ODD_ONE_OUT = _score("odd_one_out", "Odd one of three right", has_noise_ceiling=True)
#: The metrics that a report shows if no other is wanted, where they apply.
USUAL = (TRIPLET_ACCURACY, ODD_ONE_OUT)
#: The metrics by name, in the order of reports.
METRICS = {
    metric.name: metric
    for metric in (
        TRIPLET_ACCURACY,
        ODD_ONE_OUT,
        _score("top_1", "First choice right"),
        _score("ordered", "Choices right, in order"),
        _score("unordered", "Choices right, in any order"),
    )
}


def _named(name: str) -> Metric:
    return METRICS[name]


class Order(StrEnum):
    """The order of models in a report."""

    ACCURACY = "accuracy"
    FAMILY = "family"
    GIVEN = "given"
    NAME = "name"

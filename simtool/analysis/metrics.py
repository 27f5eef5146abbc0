"""What can be counted as right, and in which order models are reported; light enough to import for `--help`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simtool.designs import TrialType

__all__ = ["Metric", "Order"]


class Metric(StrEnum):
    """What is counted as right."""

    TRIPLET_ACCURACY = "triplet_accuracy"
    TOP_1 = "top_1"
    ORDERED = "ordered"
    UNORDERED = "unordered"

    @property
    def label(self) -> str:
        """The name in tables and figures."""
        return _LABELS[self]

    def applies_to(self, kind: TrialType) -> bool:
        """Whether the metric says something about trials of a type that the other metrics do not."""
        return self == Metric.TRIPLET_ACCURACY or self.value in kind.scores

    def chance(self, kind: TrialType) -> float:
        """What guessing gives."""
        return 0.5 if self == Metric.TRIPLET_ACCURACY else kind.scores[self.value].chance


_LABELS = {
    Metric.TRIPLET_ACCURACY: "Triplet accuracy",
    Metric.TOP_1: "First choice right",
    Metric.ORDERED: "Choices right, in order",
    Metric.UNORDERED: "Choices right, in any order",
}


class Order(StrEnum):
    """In which order models are reported."""

    ACCURACY = "accuracy"
    GIVEN = "given"
    NAME = "name"

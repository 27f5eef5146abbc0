"""What can be counted as right, and in which order models are reported; light enough to import for `--help`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simtool.tables.trials import TrialType

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
        """Whether the metric says something of its own: with a single choice, all orders are the first choice."""
        several = kind.n_select > 1
        return {Metric.ORDERED: several and kind.ranked, Metric.UNORDERED: several}.get(self, True)

    def chance(self, kind: TrialType) -> float:
        """What guessing gives."""
        chances = {
            Metric.TOP_1: kind.chance_top_1,
            Metric.ORDERED: kind.chance_ordered,
            Metric.UNORDERED: kind.chance_unordered,
        }
        return chances.get(self, 0.5)


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

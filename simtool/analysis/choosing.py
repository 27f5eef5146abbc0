"""Models that were fitted to choices: the check of their fit, which bounds the accuracy by trial type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simtool.tables.checks import Check
from simtool.tables.outcomes import Outcomes

__all__ = ["ModelCheck", "model_checks"]


@dataclass(frozen=True)
class ModelCheck:
    """The check of a model on choices that it makes itself.

    Attributes:
        model: the label of the model.
        distance: the name of the distance.
        check: the accuracies in trials of one type.
    """

    model: str
    distance: str
    check: Check


def model_checks(outcomes: Iterable[Outcomes]) -> Iterator[ModelCheck]:
    """The checks that the tables of outcomes state."""
    for each in outcomes:
        for check in each.checks:
            yield ModelCheck(each.model, each.distance, check)

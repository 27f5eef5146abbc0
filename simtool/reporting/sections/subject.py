"""Subjects of tables and lines, by which a reader of the page chooses them."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.analysis.labels import LABELS
from simtool.analysis.report import Part, Row
from simtool.reporting import formatting

__all__ = ["NOTHING", "Subject", "stratum"]


@dataclass(frozen=True)
class Subject:
    """The trials, metric and stratum of a table or of a line; None where it has none.

    Attributes:
        trials: ``all trials`` or a trial type.
        metric: the label of the metric.
        stratum: the name of the part of the trials; empty for all parts together.
    """

    trials: str | None = None
    metric: str | None = None
    stratum: str | None = None

    @classmethod
    def of(cls, row: Row) -> Subject:
        """The subject of an accuracy."""
        return cls(formatting.trials_of(row.trial_type), row.metric.label, stratum(row.part))


#: About nothing in particular.
NOTHING = Subject()


def stratum(part: Part | None) -> str:
    """The name of a part of the trials; empty for all parts together."""
    if part is None:
        return ""
    return f"{'labels: ' if part.by == LABELS else ''}{formatting.name(part.name)}"

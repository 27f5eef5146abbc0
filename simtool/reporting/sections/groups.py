"""Groups of accuracies: those of one metric in one stratum, or in a part of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simtool.analysis.metrics import USUAL, Metric
from simtool.analysis.report import Part, Report, Row
from simtool.reporting import formatting
from simtool.reporting.sections.subject import Subject

__all__ = ["Group", "groups", "shown"]


@dataclass(frozen=True)
class Group:
    """The accuracies of one metric in one stratum, or in a part of it."""

    rows: tuple[Row, ...]

    @property
    def part(self) -> Part | None:
        """The part of the stratum; None for the whole stratum."""
        return self.rows[0].part

    @property
    def title(self) -> str:
        """The metric and the trials."""
        subject = self.subject
        return ", ".join(filter(None, (subject.metric, subject.trials, subject.stratum)))

    @property
    def subject(self) -> Subject:
        """The trials, the metric and the stratum of the accuracies."""
        return Subject.of(self.rows[0])


def groups(report: Report, wanted: Callable[[Row], object]) -> list[Group]:
    """The groups of which some row is wanted: those of whole strata, and those of their parts."""
    found: dict[tuple[str, Metric, str, str], list[Row]] = {}
    parts = (row for split in report.splits for row in split.parts)
    for row in (*report.rows, *parts):
        by, name = ("", "") if row.part is None else (row.part.by, row.part.name)
        found.setdefault((row.trial_type, row.metric, by, name), []).append(row)
    return [Group(tuple(rows)) for rows in found.values() if any(map(wanted, rows))]


def shown(report: Report, found: Sequence[Group]) -> list[Group]:
    """The groups of usual metrics, or of all if there are none: without ``all`` if there is one type only."""
    strata = formatting.shown_strata(dict.fromkeys(row.trial_type for row in report.rows))
    own = [group for group in found if group.rows[0].trial_type in strata]
    return [group for group in own if group.rows[0].metric in USUAL] or own

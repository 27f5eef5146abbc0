"""The figure on the first screen: the best models as bars, in one panel for each type of trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simtool.analysis.labels import SAME
from simtool.analysis.report import Block, Report, Row
from simtool.reporting import formatting
from simtool.reporting.page.axis import Axis, Bar

__all__ = ["Overview", "overview"]

#: The most models and panels.
MODELS, PANELS = 8, 3


@dataclass(frozen=True)
class Value:
    """An accuracy in the figure."""

    estimate: str
    interval: str
    bar: Bar


@dataclass(frozen=True)
class Line:
    """A model in the figure, with its accuracy in each panel; None where it was not scored."""

    name: str
    values: Sequence[Value | None]


@dataclass(frozen=True)
class Overview:
    """The figure.

    Attributes:
        metric: what the bars show.
        level: of the intervals.
        panels: for each panel its title and axis.
        lines: the models.
        is_part: whether the report has more models.
    """

    metric: str
    level: str
    panels: Sequence[tuple[str, Axis]]
    lines: Sequence[Line]
    is_part: bool

    @property
    def has_ceiling(self) -> bool:
        """Whether a panel shows the noise ceiling."""
        return any(axis.best for _, axis in self.panels)

    @property
    def sides(self) -> set[str]:
        """The colors of the bars: on which side of chance their intervals are."""
        return {value.bar.side for line in self.lines for value in line.values if value is not None}


def overview(report: Report) -> Overview | None:
    """The best models of a report, each with its best distance; None if there is no accuracy."""
    blocks = list(report.blocks())
    blocks = [block for block in blocks if block.metric is blocks[0].metric][:PANELS]
    if not blocks:
        return None
    best = _best(blocks[0])
    shown = sorted(sorted(best, key=lambda row: -row.estimate)[:MODELS], key=best.index)
    ends = [end for block in blocks for end in Axis.of(block).ends]
    axes = [Axis.of(block, ends) for block in blocks]
    lines = [
        Line(_name(row), [_value(row, block, axis) for block, axis in zip(blocks, axes, strict=True)]) for row in shown
    ]
    titles = [formatting.trials(block) for block in blocks]
    level = formatting.percent(report.settings.level)
    return Overview(blocks[0].metric.label, level, list(zip(titles, axes, strict=True)), lines, len(best) > MODELS)


def _best(block: Block) -> list[Row]:
    """The row of each model with its best distance, without controls."""
    found: dict[str, Row] = {}
    for row in block.rows:
        if row.untrained is None and (row.model not in found or row.estimate > found[row.model].estimate):
            found[row.model] = row
    return list(found.values())


def _name(row: Row) -> str:
    return formatting.name(row.model) if row.distance == SAME else ", ".join(formatting.entry(row))


def _value(row: Row, block: Block, axis: Axis) -> Value | None:
    """The accuracy of a model and distance in a panel."""
    own = next((each for each in block.rows if (each.model, each.distance) == (row.model, row.distance)), None)
    if own is None:
        return None
    return Value(formatting.accuracy(own.estimate, 3), formatting.interval(own), axis.bar(own))

"""The tables of a page: accuracies with bars, tables of sections with distributions, and matrices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import isqrt

import numpy as np

from simtool.analysis.report import Block, Report
from simtool.reporting import formatting
from simtool.reporting.page.axis import Axis, Bar
from simtool.reporting.sections.matrix import Matrix
from simtool.reporting.sections.participants import scattered
from simtool.reporting.sections.section import Sheet
from simtool.reporting.sections.subject import NOTHING, Subject

__all__ = ["Accuracies", "Table", "fitting", "slug"]

#: Number of columns of a table of accuracies that a narrow screen shows: model, distance, accuracy and its interval.
_MAJOR = 4
#: The most lines of a table, points of a distribution, and cells of all matrices of a section.
LINES, POINTS, CELLS = 500, 300, 6_000
#: The greatest coordinate of points: 1,000 to the right and 100 down.
_RIGHT, _DOWN = 1_000, 100


def slug(text: str) -> str:
    """A text as an id of the page."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@dataclass(frozen=True)
class AccuracyLine:
    """A line of a table of accuracies: its cells, its bar, and whether it is a control."""

    cells: Sequence[str]
    bar: Bar
    control: bool


@dataclass(frozen=True)
class Accuracies:
    """A table of accuracies. ``minor`` holds the places of the columns that a narrow screen leaves out."""

    id: str
    title: str
    subject: Subject
    header: Sequence[str]
    minor: Sequence[int]
    rows: Sequence[AccuracyLine]
    axis: Axis
    caption: str | None

    @classmethod
    def of(cls, block: Block, report: Report) -> Accuracies:
        """The table of a block."""
        header, lines = formatting.table(block, report)
        axis = Axis.of(block)
        return cls(
            slug(f"{block.metric.name}-{block.trial_type}"),
            formatting.headline(block),
            Subject.of(block.rows[0]),
            header,
            range(_MAJOR, len(header)),
            [
                AccuracyLine(line, axis.bar(row), block.is_control(row))
                for row, line in zip(block.rows, lines, strict=True)
            ],
            axis,
            formatting.block_caption(block, report.settings.level),
        )


@dataclass(frozen=True)
class Spread:
    """The distribution of values, as the path of an SVG with a point for each, and positions in percent."""

    path: str
    low: float
    span: float
    median: float

    @classmethod
    def of(cls, values: Sequence[float], axis: Axis) -> Spread:
        """The points of values and their quartiles. Of very many values, quantiles stand for all."""
        low, median, high = (axis.at(float(each)) for each in np.quantile(values, (0.25, 0.5, 0.75)))
        shown = values if len(values) <= POINTS else np.quantile(values, (np.arange(POINTS) + 0.5) / POINTS).tolist()
        down = (0.1 + 0.8 * scattered(len(shown))) * _DOWN
        places = [round(axis.at(each) * _RIGHT / 100) for each in shown]
        path = "".join(f"M{right} {round(at)}h0" for right, at in zip(places, down, strict=True))
        return cls(path, low, round(high - low, 2), median)


@dataclass(frozen=True)
class Line:
    """A line of a table: its cells, its subject, and the distribution that is drawn with it."""

    cells: Sequence[str]
    subject: Subject
    spread: Spread | None


@dataclass(frozen=True)
class Table:
    """A table of a section. Its lines can be chosen by model and distance if its first columns name these."""

    title: str
    subject: Subject
    header: Sequence[str]
    lines: Sequence[Line]
    texts: int
    strata: Mapping[int, str]
    caption: str | None
    fold: str | None
    axis: Axis | None

    @classmethod
    def of(cls, sheet: Sheet) -> Table:
        """The table, with its first lines only if it has very many."""
        axis = Axis.over([each for own in sheet.spread for each in own], sheet.chance) if sheet.spread else None
        spreads = [] if axis is None else [Spread.of(own, axis) for own in sheet.spread]
        beside = zip_longest(sheet.lines, sheet.subjects, spreads)
        lines = [Line(cells, subject or NOTHING, spread) for cells, subject, spread in beside]
        left_out = f"The first {LINES:,} of {len(lines):,} lines; --csv writes all numbers."
        caption = " ".join(filter(None, (left_out if len(lines) > LINES else "", sheet.caption)))
        shown = lines[:LINES]
        return cls(
            sheet.title, sheet.subject, sheet.header, shown, sheet.texts, sheet.strata, caption, sheet.fold, axis
        )

    @property
    def minor(self) -> Sequence[int]:
        """The places of the columns that a narrow screen leaves out, where it shows distributions instead."""
        kept = ("model", "distance", "median")
        return [] if self.axis is None else [at for at, name in enumerate(self.header) if name not in kept]

    @property
    def named(self) -> bool:
        """Whether each line is about a model and a distance."""
        return list(self.header[:2]) == ["model", "distance"]


def fitting(matrices: Sequence[Matrix]) -> list[Matrix]:
    """The matrices of a section, of the first models only if they would be too large together."""
    if sum(len(each.names) ** 2 for each in matrices) <= CELLS:
        return list(matrices)
    return [each.first(isqrt(CELLS // len(matrices))) for each in matrices]

"""Strata: the accuracy in parts of the data, and what each part adds to the advantage over chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from simtool.analysis.labels import CLASS, GROUP, LABELS, SILENT
from simtool.analysis.report import Report, Row, Split
from simtool.reporting import formatting
from simtool.reporting.look import Look
from simtool.reporting.palette import COLORS, INK
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject, stratum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["STRATA", "points"]

#: The strata by labels, in words.
_MEANING = {
    CLASS: "exactly one of the two images shares the class of the anchor",
    GROUP: "else exactly one of them shares its group",
    SILENT: "else labels do not tell the two images apart",
}
_PARTS = (
    "Points: what a stratum adds to the accuracy minus chance, times 100: its share of the comparisons, times the "
    "accuracy there minus chance. The points of a model add up to its total."
)


def points(split: Split, digits: int = 2) -> tuple[float, list[float]]:
    """The advantage over chance in points (hundredths), and its parts, rounded so that the shown numbers add up.

    Numbers are rounded down, and the largest remainders are rounded up until the sum is right.
    """
    scale = 100 * 10**digits
    total = round(split.advantage * scale)
    exact = np.array(split.advantages) * scale
    shown = np.floor(exact)
    order = np.argsort(shown - exact, kind="stable")
    missing = round(total - shown.sum())
    shown[order[:missing]] += 1
    return total / 10**digits, [float(each) for each in shown / 10**digits]


def _divisions(report: Report) -> dict[str, list[Split]]:
    """The splits of all models, by what divides the data."""
    found: dict[str, list[Split]] = {}
    for split in report.splits:
        found.setdefault(split.by, []).append(split)
    return found


def _title(splits: Sequence[Split], spelled: Callable[[str], str] = formatting.name) -> str:
    by = "the labels of the images" if splits[0].by == LABELS else spelled(splits[0].by)
    return f"Triplet accuracy by {by}, {formatting.trials_of(splits[0].whole.trial_type)}"


def _sheets(report: Report) -> list[Sheet]:
    sheets = []
    for by, splits in _divisions(report).items():
        sheets += _of_labels(splits) if by == LABELS else [_of_column(report, splits)]
    return sheets


def _of_labels(splits: Sequence[Split]) -> list[Sheet]:
    """A line for each model: the accuracies in all strata, and their points."""
    strata = [_stratum(row) for row in splits[0].parts]
    sizes = "; ".join(f"{_stratum(row)}: {_MEANING[_stratum(row)]} ({row.comparisons:,})" for row in splits[0].parts)
    accuracies, parts = [], []
    for split in splits:
        names = formatting.entry(split.whole)
        accuracies.append(
            [*names, *(f"{formatting.accuracy(row.estimate, 3)} ({formatting.interval(row)})" for row in split.parts)]
        )
        total, own = points(split)
        parts.append([*names, *(f"{each:+.2f}" for each in (total, *own))])
    caption = f"Strata (comparisons): {sizes}. They depend on the images that were shown, not on the choice."
    parts_of = [stratum(row.part) for row in splits[0].parts]
    return [
        Sheet(
            _title(splits),
            ["model", "distance", *strata],
            accuracies,
            caption=_explained(caption, splits),
            subject=_subject(splits),
            strata=dict(enumerate(parts_of, 2)),
        ),
        Sheet(
            f"Advantage over chance in points, {formatting.trials_of(splits[0].whole.trial_type)}",
            ["model", "distance", "total", *strata],
            parts,
            caption=_PARTS,
            subject=_subject(splits),
            strata=dict(enumerate(["", *parts_of], 2)),
        ),
    ]


def _explained(caption: str, splits: Sequence[Split]) -> str:
    """A caption with the meaning of what is written in place of an interval, if it is."""
    return f"{caption} {formatting.meaning_of_fixed(row for split in splits for row in split.parts)}".strip()


def _subject(splits: Sequence[Split]) -> Subject:
    """The subject of a table that is divided into strata."""
    return replace(Subject.of(splits[0].whole), stratum=None)


def _of_column(report: Report, splits: Sequence[Split]) -> Sheet:
    """A line for each model and value."""
    level = formatting.percent(report.settings.level)
    header = ["model", "distance", "value", "accuracy", f"{level} CI", "comparisons", "points"]
    lines = []
    for split in splits:
        for row, own in zip(split.parts, points(split)[1], strict=True):
            numbers = [
                formatting.accuracy(row.estimate),
                formatting.interval(row),
                f"{row.comparisons:,}",
                f"{own:+.2f}",
            ]
            value = formatting.name(_stratum(row).removeprefix(f"{split.by}=")) or formatting.EMPTY
            lines.append([*formatting.entry(row), value, *numbers])
    subjects = [Subject(stratum=stratum(row.part)) for split in splits for row in split.parts]
    caption = _explained(_PARTS, splits)
    return Sheet(_title(splits), header, lines, texts=3, caption=caption, subject=_subject(splits), subjects=subjects)


def _entry(split: Split) -> tuple[str, str]:
    return split.whole.model, split.whole.distance


def _stratum(row: Row) -> str:
    return "" if row.part is None else row.part.name


def _records(report: Report) -> list[Record]:
    same = {"observers": report.observers, "weighted": report.settings.weighted}
    return [{**_record(*each), **same} for split in report.splits for each in _shares(split)]


def _shares(split: Split) -> zip[tuple[Row, float]]:
    return zip(split.parts, split.advantages, strict=True)


def _record(row: Row, advantage: float) -> Record:
    """The columns of other accuracies, with the stratum, its share of the comparisons and its part of the advantage."""
    same = ("model", "distance", "trial_type", "estimate", "low", "high", "chance", "trials", "comparisons", "ties")
    share = None if row.part is None else row.part.share
    more = {"stratum": _stratum(row), "metric": row.metric.name, "share": share, "advantage": advantage}
    control = {} if row.untrained is None else {"untrained": row.untrained}
    return {name: getattr(row, name) for name in same} | more | control


def _draw(report: Report, look: Look) -> Figure | None:
    """For each division two panels: the points of each model as a bar of parts, and the accuracies in the parts."""
    from matplotlib.figure import Figure

    divisions = list(_divisions(report).values())
    if not divisions:
        return None
    across = look.across(2.2, 2.0, 2)
    heights = [2 / across * (0.6 + _height(splits, look)) + 0.4 for splits in divisions]
    figure = Figure(figsize=(look.wide(9.5), look.scale * sum(heights)), layout="constrained")
    parts = figure.subfigures(len(divisions), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, splits in zip(parts, divisions, strict=True):
        grid = part.subplots(2 // across, across, squeeze=False)
        points, accuracies = grid.flat
        _draw_points(points, splits)
        _draw_accuracies(accuracies, splits)
        names = formatting.labels(map(_entry, splits), look.letters(formatting.LONGEST))
        for panel in (points, accuracies):
            panel.set_yticks(range(len(splits)), names, fontsize="small")
            panel.set_ylim(len(splits) - 0.4, -0.6)
            panel.tick_params(labelleft=panel is points or across == 1)
        if len(divisions) > 1:
            title = fill(_title(splits, formatting.label), look.line(figure.get_figwidth()))
            part.suptitle(title, fontsize="medium", fontweight="bold")
        handles, labels = accuracies.get_legend_handles_labels()
        columns = max(1, min(len(labels), look.across(0, 0.5 + 0.07 * max(map(len, labels)), 6)))
        part.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _height(splits: Sequence[Split], look: Look) -> float:
    """The height of the rows of a panel in inches, with text of the usual size."""
    least, part = (0.2, 0.05) if look.width is None else (0.15, 0.045)
    return max(least, part * len(splits[0].parts)) * len(splits)


def _colors(count: int) -> Sequence[str | tuple[float, float, float, float]]:
    """Colors for strata: those of all figures, or of a scale if there are more strata."""
    if count <= len(COLORS):
        return COLORS[:count]
    from matplotlib import colormaps

    return [colormaps["viridis"](at / (count - 1)) for at in range(count)]


def _draw_points(panel: Axes, splits: Sequence[Split]) -> None:
    """Parts that add to the advantage go to the right of chance, parts that take from it to the left."""
    from simtool.reporting.axes import bare

    for at, split in enumerate(splits):
        parts = 100 * np.array(split.advantages)
        for side in (np.maximum(parts, 0), np.minimum(parts, 0)):
            left = list(accumulate(side, initial=0.0))[:-1]
            panel.barh([at] * len(side), side, left=left, height=0.8, color=_colors(len(side)))
        panel.plot(100 * split.advantage, at, "|", color=INK, markersize=9)
    panel.axvline(0, color=INK, lw=0.9)
    panel.set_xlabel("points over chance (the line is their sum)")
    bare(panel)


def _draw_accuracies(panel: Axes, splits: Sequence[Split]) -> None:
    from simtool.reporting.axes import Accuracies, bare

    strata = [_stratum(row) for row in splits[0].parts]
    labels = formatting.labels([name.removeprefix(f"{splits[0].by}=")] for name in strata)
    for order, (name, label, color) in enumerate(zip(strata, labels, _colors(len(strata)), strict=True)):
        shift = 0.7 * ((order + 0.5) / len(strata) - 0.5)
        rows = [(at, row) for at, split in enumerate(splits) for row in split.parts if _stratum(row) == name]
        places = [at + shift for at, _ in rows]
        panel.hlines(places, [row.low for _, row in rows], [row.high for _, row in rows], color=color, lw=1.1)
        panel.plot([row.estimate for _, row in rows], places, "o", color=color, markersize=4, label=label)
    panel.axvline(splits[0].whole.chance, color=INK, lw=0.9)
    panel.set_xlabel("triplet accuracy")
    panel.xaxis.set_major_formatter(Accuracies())
    bare(panel)


STRATA = Section("strata", _sheets, _records, _draw)

"""Difficulty: accuracies as a function of difficulty, and types of trials at equal difficulty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simtool.analysis.difficulty import Curve, Difficulty, Gap, Judges
from simtool.analysis.inference.intervals import Difference
from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.look import Look
from simtool.reporting.palette import COLORS, INK
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DIFFICULTY"]

#: The most panels of the figure, and panels in a row.
_PANELS, _COLUMNS = 12, 4
_EQUAL = (
    "At equal difficulty: each grade of difficulty gets the same share in both types. A grade that one of the types "
    "lacks does not count."
)


def _sheets(report: Report) -> list[Sheet]:
    return [sheet for found in report.difficulties for sheet in _of_measure(report, found)]


def _of_measure(report: Report, found: Difficulty) -> list[Sheet]:
    place, level = report.places, formatting.percent(report.settings.level)
    sheets = []
    for judges in found.judges:
        gaps = [gap for gap in found.gaps if (gap.first, gap.second) == (judges.first, judges.second)]
        gaps.sort(key=lambda gap: place[gap.model, gap.distance])
        lines = [[*formatting.entry(gap), *_difference(gap.plain), *_difference(gap.equal)] for gap in gaps]
        header = ["model", "distance", "difference", f"{level} CI", "equal", f"{level} CI"]
        title = f"{judges.first} minus {judges.second} at equal difficulty ({formatting.name(found.measure)})"
        caption = f"{found.explanation} {_EQUAL} {_confounded(judges)}"
        sheets += [Sheet(title, header, lines, caption=caption)] if lines else []
    curves = sorted(found.curves, key=lambda curve: place[curve.model, curve.distance])
    header = ["model", "distance", "trials", "difficulty", "accuracy", f"{level} CI", "comparisons"]
    title = f"Triplet accuracy by difficulty ({formatting.name(found.measure)})"
    alone = not sheets
    lines = _lines(found, curves)
    subjects = [Subject(line[2]) for line in lines]
    subject = Subject(metric=TRIPLET_ACCURACY.label, stratum="")
    sheets.append(
        Sheet(title, header, lines, 4, found.explanation, in_terminal=alone, subject=subject, subjects=subjects)
    )
    return sheets


def _lines(found: Difficulty, curves: Sequence[Curve]) -> list[list[str]]:
    lines = []
    for curve in curves:
        grades = zip(found.grades, curve.grades, (f"{count:,}" for count in curve.comparisons), strict=True)
        count = f"{sum(curve.comparisons):,}"
        for label, mean, comparisons in [*grades, ("all", curve.plain, count), ("all, equal", curve.equal, "")]:
            if mean is not None:
                numbers = [formatting.accuracy(mean.estimate, 3), formatting.interval(mean), comparisons]
                lines.append([*formatting.entry(curve), curve.trial_type, label, *numbers])
    return lines


def _confounded(judges: Judges) -> str:
    """Whether types of trials differ in the people who judged them."""
    if judges.called is None:
        return "The trials do not name participants or sessions, so a difference can be one of people."
    first, second = judges.counts
    if judges.shared:
        return f"{judges.shared:,} of {first + second - judges.shared:,} {judges.called} judged both types."
    return (
        f"Warning: no {judges.called.removesuffix('s')} judged both types ({first:,} judged {judges.first}, {second:,} "
        f"judged {judges.second}), so a difference can be one of people, not of types."
    )


def _difference(found: Difference) -> list[str]:
    return [formatting.signed(found.estimate, 3), formatting.difference_interval(found)]


def _records(report: Report) -> list[Record]:
    records: list[Record] = []
    for found in report.difficulties:
        for curve in found.curves:
            records += _of_curve(found, curve)
        for gap in found.gaps:
            records += [_of_gap(found, gap, None, gap.plain), _of_gap(found, gap, "equal", gap.equal)]
    return records


def _of_curve(found: Difficulty, curve: Curve) -> list[Record]:
    same = {
        "model": curve.model,
        "distance": curve.distance,
        "trial_type": curve.trial_type,
        "metric": "triplet_accuracy_by_difficulty",
        "chance": 0.5,
        "difficulty": found.measure,
    }
    grades = [
        *zip(found.grades, curve.grades, curve.comparisons, strict=True),
        (None, curve.plain, sum(curve.comparisons)),
    ]
    grades += [("equal", curve.equal, sum(curve.comparisons))]
    return [
        {**same, "stratum": name, "estimate": mean.estimate, "low": mean.low, "high": mean.high, "comparisons": count}
        for name, mean, count in grades
        if mean is not None
    ]


def _of_gap(found: Difficulty, gap: Gap, stratum: str | None, difference: Difference) -> Record:
    return {
        "model": gap.model,
        "distance": gap.distance,
        "trial_type": gap.first,
        "other_trial_type": gap.second,
        "metric": "difference_of_types",
        "difficulty": found.measure,
        "stratum": stratum,
        "estimate": difference.estimate,
        "low": difference.low,
        "high": difference.high,
        "p_type": difference.p_value,
    }


def _draw(report: Report, look: Look) -> Figure | None:
    """For each measure a row of panels: one for each model, with a line for each type of trials."""
    from matplotlib.figure import Figure

    if not report.difficulties:
        return None
    place = report.places
    models = [
        sorted({(each.model, each.distance) for each in found.curves}, key=place.__getitem__)[:_PANELS]
        for found in report.difficulties
    ]
    columns = look.across(0.4, 1.9, min(max(map(len, models)), _COLUMNS))
    heights = [math.ceil(len(shown) / columns) for shown in models]
    panel_height = 2.7 if look.width is None else 1.75
    size = look.wide(1 + 2.6 * columns), look.scale * (0.9 * len(models) + panel_height * sum(heights))
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subfigures(len(models), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, found, shown, rows in zip(parts, report.difficulties, models, heights, strict=True):
        panels = part.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for panel, entry, label in zip(panels, shown, formatting.labels(shown, look.letters(30)), strict=False):
            _draw_panel(panel, [curve for curve in found.curves if (curve.model, curve.distance) == entry])
            panel.set_title(label, fontsize="small")
        for panel in panels[len(shown) :]:
            panel.set_visible(False)
        for panel in panels[max(0, len(shown) - columns) : len(shown)]:
            panel.set_xticks(range(len(found.grades)), found.grades, rotation=90)
            panel.tick_params(labelbottom=True)
        part.supylabel("triplet accuracy")
        part.supxlabel(f"difficulty ({formatting.label(found.measure)})")
        handles, labels = panels[0].get_legend_handles_labels()
        part.legend(handles, labels, loc="outside upper center", ncols=look.across(0, 1.5, 4), frameon=False)
    return figure


def _draw_panel(panel: Axes, curves: Sequence[Curve]) -> None:
    from simtool.reporting.axes import Accuracies

    for at, curve in enumerate(curves):
        known = [(place + 0.1 * at, mean) for place, mean in enumerate(curve.grades) if mean is not None]
        places, color = [place for place, _ in known], COLORS[(0, 4, 2, 3)[at % 4]]
        means = [mean.estimate for _, mean in known]
        panel.vlines(places, [mean.low for _, mean in known], [mean.high for _, mean in known], color=color, lw=1)
        panel.plot(places, means, "o-", color=color, markersize=3, lw=1, label=curve.trial_type)
    panel.axhline(0.5, color=INK, lw=0.8)
    panel.spines[["top", "right"]].set_visible(False)
    panel.yaxis.set_major_formatter(Accuracies())
    panel.tick_params(labelsize="small")


DIFFICULTY = Section("difficulty", _sheets, _records, _draw)

"""Contrasts: tables and a matrix of the differences between models, and their records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.contrasts import Contrast, Entry
from simtool.analysis.inference.intervals import Difference
from simtool.analysis.noise_ceiling import NoiseCeiling, Reach
from simtool.analysis.report import Report, Row
from simtool.reporting import formatting
from simtool.reporting.look import Look, panels
from simtool.reporting.sections.differences import numbers, of_row
from simtool.reporting.sections.groups import Group, groups, shown
from simtool.reporting.sections.matrix import Cell, Matrix, divided, shade
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["CONTRASTS"]

#: The most differences in a table of the terminal.
_SHOWN = 15
#: The most rows of a matrix that shows its numbers, and the number of matrices side by side.
_NUMBERS, _ACROSS = 12, 3
#: The least width in inches of a cell that shows its number, with text of the usual size.
_CELL = 0.24
#: The least height in inches of a row whose name is in small text, likewise.
_LINE = 0.095
#: The most characters of a line above a matrix.
_HEADING = 30
#: The parts of a noise ceiling that models are compared with, and the judgments on which they are.
PERSON, BEST, REPEATED = "one person", "best model", "repeated judgments"
#: The name of a difference between two models in records.
_METRIC = "difference"
#: Above the matrices.
_EXPLANATION = (
    "Accuracy of the row minus accuracy of the column, in percentage points; columns are in the order of rows "
    "(red: the row is better; dot: no difference is found after Holm's adjustment in each matrix)"
)


@dataclass(frozen=True)
class _Table(Group):
    """The accuracies of one metric in one stratum, or in a part of it, with their contrasts."""

    @property
    def contrasts(self) -> list[tuple[Row, Contrast]]:
        """All contrasts, with the row of the model that they are about."""
        return [(row, contrast) for row in self.rows for contrast in row.contrasts]

    def family(self) -> str:
        """The differences over which the p values are adjusted."""
        sizes = dict.fromkeys(contrast.tested for _, contrast in self.contrasts)
        return " and ".join(counted(size, "tested differences") for size in sizes)


def _tables(report: Report) -> list[_Table]:
    """The accuracies that are compared: of whole strata, and of their parts."""
    return [_Table(group.rows) for group in groups(report, lambda row: row.contrasts)]


def _shown(report: Report) -> list[_Table]:
    """The tables that views show."""
    return [_Table(group.rows) for group in shown(report, _tables(report))]


def _sheets(report: Report) -> list[Sheet]:
    sheets: list[Sheet] = []
    for table in _shown(report):
        whole = table.part is None
        if report.baseline is None:
            few = len(table.contrasts) <= _SHOWN
            sheets += [_summary(table, report, in_terminal=whole and not few), _pairs(table, report, in_terminal=few)]
        elif not whole:  # the table of accuracies holds the differences in whole strata
            sheets.append(_pairs(table, report, len(table.contrasts) <= _SHOWN))
    return sheets + [_ceiling_sheet(ceiling, report) for ceiling in _ceilings(report)]


def _ceilings(report: Report) -> list[NoiseCeiling]:
    """The noise ceilings, if models are compared."""
    wanted = report.settings.compare or report.baseline is not None
    return [ceiling for ceiling in report.noise_ceilings if ceiling.reached and wanted]


def _ceiling_sheet(ceiling: NoiseCeiling, report: Report) -> Sheet:
    """A line for each model and each part of the noise ceiling."""
    lines = [
        [
            *formatting.entry(reach),
            name,
            formatting.signed(gain.estimate),
            formatting.difference_interval(gain),
            formatting.p_value(gain.p_holm),
        ]
        for name, gains in _gains(ceiling).items()
        for reach, gain in gains
    ]
    level = formatting.percent(report.settings.level)
    return Sheet(
        f"{ceiling.metric.label}, {ceiling.trial_type}, repeated judgments: differences from people",
        ["model", "distance", "minus", "difference", f"{level} CI", "p (Holm)"],
        lines,
        texts=3,
        caption="The best model is the estimate of the noise ceiling. Holm's method adjusts the p values over the "
        f"{counted(len(ceiling.reached), 'models')}, for people and for the best model.",
        in_terminal=len(lines) <= _SHOWN,
        subject=Subject(ceiling.trial_type, ceiling.metric.label, ""),
    )


def _gains(ceiling: NoiseCeiling) -> dict[str, list[tuple[Reach, Difference]]]:
    """The differences of models from each part of a noise ceiling."""
    found = {
        PERSON: [(each, each.from_person) for each in ceiling.reached],
        BEST: [(each, each.from_best) for each in ceiling.reached if each.from_best is not None],
    }
    return {name: gains for name, gains in found.items() if gains}


def _summary(table: _Table, report: Report, in_terminal: bool) -> Sheet:
    """For each model the number of models that are less and more accurate."""
    better, worse = ({(row.model, row.distance): 0 for row in table.rows} for _ in range(2))
    for row, contrast in table.contrasts:
        first, second = (row.model, row.distance), (contrast.model, contrast.distance)
        if _is_found(contrast, report.settings.level):
            winner, loser = (first, second) if contrast.difference.estimate > 0 else (second, first)
            better[winner] += 1
            worse[loser] += 1
    lines = []
    for row in table.rows:
        key = row.model, row.distance
        rest = len(table.rows) - 1 - better[key] - worse[key]
        counts = [str(better[key]), str(rest), str(worse[key])]
        lines.append([*formatting.entry(row), *counts])
    return Sheet(
        f"{table.title}: differences between models",
        ["model", "distance", "better than", "no difference found", "worse than"],
        lines,
        caption=f"Numbers of models. {_adjusted(table)} A difference is found if its p value is below "
        f"{1 - report.settings.level:.3g}.",
        in_terminal=in_terminal,
        subject=table.subject,
        is_summary=True,
    )


def _pairs(table: _Table, report: Report, in_terminal: bool) -> Sheet:
    """A line for each difference."""
    level = formatting.percent(report.settings.level)
    baseline = report.baseline
    lines = []
    for row, contrast in table.contrasts:
        gain = contrast.difference
        names = [row.model, row.distance, *([] if baseline else [contrast.model, contrast.distance])]
        interval = formatting.EQUAL if contrast.is_identical else formatting.difference_interval(gain)
        p_values = [formatting.p_value(gain.p_value), formatting.p_value(gain.p_holm)]
        lines.append([*map(formatting.name, names), formatting.signed(gain.estimate), interval, *p_values])
    texts = ["model", "distance", *([] if baseline else ["minus model", "distance"])]
    header = [*texts, "difference", f"{level} CI", "p", "p (Holm)"]
    title = f"{table.title}: differences" + (f" from {formatting.baseline(baseline)}" if baseline else "")
    p_value = len(texts) + 2
    return Sheet(
        title,
        header,
        lines,
        len(texts),
        _adjusted(table),
        in_terminal,
        optional=(p_value,),
        subject=table.subject,
        fold=None if baseline else f"{table.title}: all {counted(len(lines), 'differences')}",
    )


def _adjusted(table: _Table) -> str:
    """The family of the adjustment."""
    return f"Holm's method adjusts the p values over the {table.family()} of this table."


def _is_found(contrast: Contrast, level: float) -> bool:
    """Whether the adjusted p value excludes that both models are equally accurate."""
    p_holm = contrast.difference.p_holm
    return p_holm is not None and p_holm < 1 - level


def _records(report: Report) -> list[Record]:
    found = [
        {
            "model": row.model,
            **of_row(row, contrast.difference, _METRIC),
            "baseline_model": contrast.model,
            "baseline_distance": contrast.distance,
            "tested": contrast.tested,
            "identical": contrast.is_identical,
        }
        for table in _tables(report)
        for row, contrast in table.contrasts
    ]
    return [*found, *_ceiling_records(report)]


def _ceiling_records(report: Report) -> Iterator[Record]:
    for ceiling in _ceilings(report):
        for name, gains in _gains(ceiling).items():
            for reach, gain in gains:
                yield {
                    "model": reach.model,
                    "distance": reach.distance,
                    "trial_type": ceiling.trial_type,
                    "metric": _METRIC,
                    **numbers(gain),
                    "comparisons": ceiling.judgments,
                    "stratum": REPEATED,
                    "difference_of": ceiling.metric.name,
                    "baseline_model": name,
                    "tested": sum(other.p_value is not None for _, other in gains),
                    "identical": False,
                }


def _matrices(report: Report) -> list[Matrix]:
    """The differences between every two models with one distance."""
    tables = _shown(report) if report.baseline is None else []
    sizes = [abs(contrast.difference.estimate) for table in tables for _, contrast in table.contrasts]
    level = report.settings.level
    return [matrix for table in tables for matrix in _matrices_of(table, level, max(sizes, default=0.0))]


def _matrices_of(table: _Table, level: float, largest: float) -> Iterator[Matrix]:
    cells: dict[tuple[Entry, Entry], Cell] = {}
    for row, contrast in table.contrasts:
        one, other = (row.model, row.distance), (contrast.model, contrast.distance)
        cells[one, other] = _cell(contrast, 1, level, largest)
        cells[other, one] = _cell(contrast, -1, level, largest)
    caption = (
        "Accuracy of the row minus accuracy of the column. Blue: the row is better, orange: it is worse, and the "
        f"{formatting.percent(level)} interval excludes 0; the darker, the larger. Bold: the difference is also found "
        f"after Holm's adjustment over the {table.family()} of all distances."
    )
    for distance, entries in divided([(row.model, row.distance) for row in table.rows]).items():
        yield Matrix.of(f"{table.title}: differences", table.subject, distance, entries, cells, caption)


def _cell(contrast: Contrast, sign: int, level: float, largest: float) -> Cell:
    gain = contrast.difference
    size = sign * gain.estimate
    if contrast.is_identical or gain.low is None or gain.high is None:
        return Cell(formatting.signed(size, 3), formatting.EQUAL if contrast.is_identical else formatting.UNTESTED)
    low, high = sorted((sign * gain.low, sign * gain.high))
    text = f"{formatting.percent(level)} CI {formatting.signed(low, 3)} to {formatting.signed(high, 3)}"
    tested = "" if gain.p_holm is None else f", p (Holm) {formatting.p_value(gain.p_holm)}"
    found = low > 0 or high < 0
    return Cell(
        formatting.signed(size, 3), text + tested, shade(size, largest) if found else 0, _is_found(contrast, level)
    )


def _draw(report: Report, look: Look) -> Figure | None:
    from matplotlib.figure import Figure

    tables = _shown(report) if report.baseline is None else []
    if not tables:
        return None
    names = list(dict.fromkeys((row.model, row.distance) for table in tables for row in table.rows))
    labels = formatting.labels(names, look.letters(formatting.LONGEST))
    longest = 0.062 * max(map(len, labels))
    side = max(1.8, (0.28 if len(names) <= _NUMBERS else 0.13) * len(names))
    across = look.across(longest, side, min(len(tables), _ACROSS))
    down = math.ceil(len(tables) / across)
    width = look.wide(2.2 + (side + 0.1) * across)
    if look.width is not None:
        side = (width / look.scale - longest - 0.9) / across
    note = fill(_EXPLANATION, int(14 * width / look.scale))
    lines = 1 + note.count("\n")
    height = look.scale * (0.2 + 0.15 * lines + (side + 0.4) * down)
    figure = Figure(figsize=(width, height), layout="compressed")
    made = panels(figure, len(tables), across, sharex=True, sharey=True)
    made[0].set_yticks(range(len(names)), labels)
    made[0].set_xticks([])
    numbered = len(names) <= _NUMBERS and side / len(names) >= _CELL
    largest = max(abs(contrast.difference.estimate) for table in tables for _, contrast in table.contrasts)
    size = "small" if side / len(names) >= _LINE else "x-small"
    for panel, table, heading in zip(made, tables, _headings(tables), strict=True):
        image = _draw_matrix(panel, table, names, report.settings.level, 100 * max(largest, 1e-9), numbered)
        panel.tick_params(length=0, labelsize=size)
        panel.set_title(heading, fontsize="small", fontweight="bold")
    if not numbered:
        bar = figure.colorbar(image, ax=made, shrink=1 / down, aspect=25, fraction=0.03, pad=0.02)
        bar.set_label("percentage points")
    figure.supxlabel(note)
    return figure


def _headings(tables: Sequence[_Table]) -> list[str]:
    """The titles of tables in a narrow figure."""
    parts = formatting.labels(["" if table.part is None else table.part.name] for table in tables)
    return [
        table.title
        if table.part is None
        else f"{_Table((replace(table.rows[0], part=None),)).title}\n{fill(part, _HEADING)}"
        for table, part in zip(tables, parts, strict=True)
    ]


def _draw_matrix(
    panel: Axes, table: _Table, names: Sequence[Entry], level: float, largest: float, numbered: bool
) -> AxesImage:
    points, found = _matrix(table, names, level)
    image = panel.imshow(points, cmap="RdBu_r", vmin=-largest, vmax=largest)
    panel.spines[:].set_visible(False)
    down, right = np.nonzero(~np.isnan(points) & ~found)
    panel.scatter(right, down + (0.3 if numbered else 0), s=3, color="black")
    for row, column in np.argwhere(~np.isnan(points)) if numbered else ():
        value = points[row, column]
        color = "white" if abs(value) > 0.7 * largest else "black"
        panel.text(
            column, row, f"{round(value, 1) + 0.0:+.1f}", ha="center", va="center", fontsize="x-small", color=color
        )
    return image


def _matrix(table: _Table, names: Sequence[Entry], level: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The differences in percentage points, (M, M), NaN where there is none; and which of them are found."""
    place = {name: at for at, name in enumerate(names)}
    points, found = np.full((len(place), len(place)), np.nan), np.zeros((len(place), len(place)), bool)
    for row, contrast in table.contrasts:
        one, other = place[row.model, row.distance], place[contrast.model, contrast.distance]
        gain = 100 * contrast.difference.estimate
        points[one, other], points[other, one] = gain, -gain
        found[one, other] = found[other, one] = _is_found(contrast, level)
    return points, found


CONTRASTS = Section("contrasts", _sheets, _records, _draw, _matrices)

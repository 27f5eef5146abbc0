"""Error consistency: a table of models with people, a table of all pairs of models, and a matrix."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from simtool.analysis.contrasts import Entry
from simtool.analysis.kappa import PEOPLE, Consistency, Predictor
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.look import Look, panels
from simtool.reporting.sections.matrix import Cell, Matrix, divided, shade
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["CONSISTENCY"]

#: The most pairs of models that the terminal shows.
_SHOWN = 15
#: The most rows of a matrix that shows its numbers.
_NUMBERS = 24
#: The least width in inches of a cell that shows its number, with text of the usual size.
_CELL = 0.26
#: The least height in inches of a row whose name is in small text, likewise.
_LINE = 0.095
#: Below the matrices.
_EXPLANATION = (
    "Cohen's kappa of being right on the same comparisons (1: always, 0: as if errors were independent); columns are "
    "in the order of rows"
)
_WITH_PEOPLE = (
    "Correct means: as one person chose. The error consistency is Cohen's kappa of a model with another person who "
    "judged the same comparison; the first line is that of two people."
)
_OF_MODELS = (
    "Cohen's kappa of being right: 1 if two models are right and wrong on the same comparisons, 0 if their errors are "
    "independent."
)


def _by_type(report: Report) -> dict[str, list[Consistency]]:
    """The pairs of each trial type."""
    grouped: dict[str, list[Consistency]] = {}
    for each in report.consistency:
        grouped.setdefault(each.trial_type, []).append(each)
    return grouped


def _sheets(report: Report) -> list[Sheet]:
    level = formatting.percent(report.settings.level)
    numbers = ["kappa", f"{level} CI", "observed", "expected"]
    sheets = []
    for at, (trial_type, found) in enumerate(_by_type(report).items()):
        people = [each for each in found if each.second == PEOPLE]
        people.sort(key=lambda each: (each.first != PEOPLE, _place(each.first, report)))
        models = sorted((each for each in found if each.second != PEOPLE), key=lambda each: -(each.kappa or 0))
        if people:
            count = f"{people[0].comparisons:,} judgments of repeated comparisons"
            lines = [[*formatting.entry(each.first), *_cells(each)] for each in people]
            header = ["model", "distance", *numbers]
            sheets.append(
                Sheet(
                    f"Error consistency with people, {trial_type}: {count}",
                    header,
                    lines,
                    2,
                    _WITH_PEOPLE,
                    subject=Subject(trial_type),
                )
            )
        if models:
            lines = [[*formatting.entry(each.first), *formatting.entry(each.second), *_cells(each)] for each in models]
            header = ["model", "distance", "and model", "distance", *numbers]
            shown = not at and len(models) <= _SHOWN
            title = f"Error consistency of models, {trial_type}"
            fold = f"{title}: all {counted(len(lines), 'pairs')}"
            subject = Subject(trial_type)
            sheets.append(Sheet(title, header, lines, 4, _OF_MODELS, in_terminal=shown, subject=subject, fold=fold))
    return sheets


def _cells(found: Consistency) -> list[str]:
    return [
        "" if found.kappa is None else formatting.share(found.kappa, 3),
        formatting.ends(found.low, found.high),
        formatting.accuracy(found.observed, 3),
        formatting.accuracy(found.expected, 3),
    ]


def _records(report: Report) -> list[Record]:
    return [
        {
            "model": each.first.model,
            "distance": each.first.distance,
            "trial_type": each.trial_type,
            "metric": "error_consistency",
            "estimate": each.kappa,
            "low": each.low,
            "high": each.high,
            "comparisons": each.comparisons,
            "other_model": each.second.model,
            "other_distance": each.second.distance,
            "observed": each.observed,
            "expected": each.expected,
        }
        for each in report.consistency
    ]


def _matrices(report: Report) -> list[Matrix]:
    """The error consistency of every two models with one distance; a table shows that of models with people."""
    return [matrix for trial_type, found in _by_type(report).items() for matrix in _of_type(trial_type, found, report)]


def _of_type(trial_type: str, found: Sequence[Consistency], report: Report) -> Iterator[Matrix]:
    models = [each for each in found if PEOPLE not in (each.first, each.second)]
    cells: dict[tuple[Entry, Entry], Cell] = {}
    for each in models:
        one, other = ((own.model, own.distance) for own in (each.first, each.second))
        cells[one, other] = cells[other, one] = _cell(each, formatting.percent(report.settings.level))
    names = [(each.model, each.distance) for each in _predictors(models, report)]
    caption = f"{_OF_MODELS} Color: the interval excludes 0; the darker, the larger."
    title = f"Error consistency of models, {trial_type}"
    for distance, entries in divided(names).items() if models else ():
        yield Matrix.of(title, Subject(trial_type), distance, entries, cells, caption)


def _cell(found: Consistency, level: str) -> Cell:
    if found.kappa is None:
        return Cell("", "no kappa")
    interval = formatting.ends(found.low, found.high)
    excluded = found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
    detail = f"{level} CI {interval}" if interval else formatting.UNTESTED
    return Cell(formatting.share(found.kappa, 2), detail, shade(found.kappa, 1) if excluded else 0)


def _draw(report: Report, look: Look) -> Figure | None:
    """A matrix for each trial type; the columns are in the order of the rows."""
    from matplotlib.figure import Figure

    types = _by_type(report)
    if not types:
        return None
    names = _predictors(report.consistency, report)
    labels = formatting.labels(((name.model, name.distance) for name in names), look.letters(formatting.LONGEST))
    side = max(2.4, 0.28 * len(names))
    longest = 0.062 * max(map(len, labels))
    across = look.across(longest, 2.0, len(types))
    down = math.ceil(len(types) / across)
    width = look.wide(0.8 + longest + (side + 0.1) * across)
    if look.width is not None:
        side = (width / look.scale - longest - 0.8) / across
    note = fill(_EXPLANATION, look.line(width))
    height = look.scale * (0.3 + 0.15 * (1 + note.count("\n")) + (side + 0.3) * down)
    figure = Figure(figsize=(width, height), layout="compressed")
    made = panels(figure, len(types), across, sharex=True, sharey=True)
    made[0].set_yticks(range(len(names)), labels)
    made[0].set_xticks([])
    numbered = len(names) <= _NUMBERS and side / len(names) >= _CELL
    for panel, (trial_type, found) in zip(made, types.items(), strict=True):
        image = _draw_matrix(panel, found, names, numbered)
        panel.tick_params(length=0, labelsize="small" if side / len(names) >= _LINE else "x-small")
        panel.set_title(trial_type, fontweight="bold")
    figure.colorbar(image, ax=made, shrink=1 / down, aspect=25, fraction=0.03, pad=0.02).set_label("Cohen's kappa")
    figure.supxlabel(note)
    return figure


def _predictors(found: Iterable[Consistency], report: Report) -> list[Predictor]:
    """Models in the order of the report, and people last."""
    names = {one for each in found for one in (each.first, each.second)}
    return sorted(names, key=lambda name: _place(name, report))


def _place(name: Predictor, report: Report) -> int:
    return report.places.get((name.model, name.distance), len(report.rows))


def _draw_matrix(panel: Axes, found: Sequence[Consistency], names: Sequence[Predictor], numbered: bool) -> AxesImage:
    kappa = np.full((len(names), len(names)), np.nan)
    for each in found:
        one, two = names.index(each.first), names.index(each.second)
        kappa[one, two] = kappa[two, one] = np.nan if each.kappa is None else each.kappa
    image = panel.imshow(kappa, cmap="Blues", vmin=0, vmax=1)
    panel.spines[:].set_visible(False)
    if numbered:
        for row, column in np.argwhere(~np.isnan(kappa)):
            value = kappa[row, column]
            color = "white" if value > 0.6 else "black"
            panel.text(
                column, row, formatting.share(value, 2), ha="center", va="center", fontsize="x-small", color=color
            )
    return image


CONSISTENCY = Section("consistency", _sheets, _records, _draw, _matrices)

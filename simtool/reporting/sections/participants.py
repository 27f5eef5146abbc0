"""Participants: the distribution of the accuracies of each model over people, with the worst and the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.participants import LEAST, Spread
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.look import Look, panels
from simtool.reporting.palette import COLORS, INK
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PARTICIPANTS", "scattered"]

_QUARTILES = (0.25, 0.5, 0.75)
#: Points of a model in the figure are spread over this part of a row, in an order that does not depend on accuracy.
_ROOM = 0.6


def scattered(count: int) -> NDArray[np.float64]:
    """Places from 0 to 1 that lie far from the places before them, for points that would cover each other, (count,).

    They depend on no value, and are those of the golden ratio.
    """
    places: NDArray[np.float64] = (np.arange(count, dtype=np.float64) * 0.618034) % 1
    return places


def _by_type(report: Report) -> list[list[Spread]]:
    """The spreads of each type of trials, with the models in the order of the report."""
    place = report.places
    found: dict[str, list[Spread]] = {}
    for spread in report.spreads:
        found.setdefault(spread.people.trial_type, []).append(spread)
    return [sorted(own, key=lambda each: place[each.model, each.distance]) for own in found.values()]


def _sheets(report: Report) -> list[Sheet]:
    return [_sheet(spreads) for spreads in _by_type(report)]


def _sheet(spreads: Sequence[Spread]) -> Sheet:
    people = spreads[0].people
    person = people.called.removesuffix("s")
    header = ["model", "distance", f"worst {person}", f"best {person}"]
    header += ["worst", "lower quartile", "median", "upper quartile", "best", "SD", "SD by chance"]
    lines = []
    for each in spreads:
        names = [each.model, each.distance, each.people.names[each.worst], each.people.names[each.best]]
        numbers = [*each.quantiles(0, *_QUARTILES, 1), each.deviation, each.expected]
        lines.append([*map(formatting.name, names), *(formatting.accuracy(number, 3) for number in numbers)])
    title = f"Triplet accuracy for each {person}, {people.trial_type}: {_count(spreads)}"
    left_out = [each.people.left_out for each in spreads]
    return Sheet(
        title,
        header,
        lines,
        texts=4,
        caption=_caption(people.called, left_out),
        in_terminal=False,
        subject=Subject(people.trial_type, TRIPLET_ACCURACY.label, ""),
        spread=[each.accuracies for each in spreads],
    )


def _count(spreads: Sequence[Spread]) -> str:
    """The number of people, which can differ between models."""
    counts = [len(each.people.names) for each in spreads]
    fewest = f"{min(counts):,} to " if min(counts) < max(counts) else ""
    return fewest + counted(max(counts), spreads[0].people.called)


def _caption(called: str, left_out: Sequence[int]) -> str:
    most = f"{'Up to ' if min(left_out) < max(left_out) else ''}{max(left_out):,}"
    others = f" {most} with fewer than {LEAST} comparisons are left out." if max(left_out) else ""
    return (
        f"SD: the standard deviation of the accuracies. SD by chance: what it would be if the model predicted all "
        f"{called} equally well, because each judged only some trials.{others}"
    )


def _records(report: Report) -> list[Record]:
    return [_record(each) for spreads in _by_type(report) for each in spreads]


def _record(spread: Spread) -> Record:
    worst, low, median, high, best = spread.quantiles(0, *_QUARTILES, 1)
    return {
        "model": spread.model,
        "distance": spread.distance,
        "trial_type": spread.people.trial_type,
        "metric": "triplet_accuracy_by_participant",
        "estimate": float(np.mean(spread.accuracies)),
        "chance": 0.5,
        "comparisons": sum(spread.people.comparisons),
        "clusters": spread.people.called,
        "participants": len(spread.people.names),
        "worst": worst,
        "worst_participant": spread.people.names[spread.worst],
        "lower_quartile": low,
        "median": median,
        "upper_quartile": high,
        "best": best,
        "best_participant": spread.people.names[spread.best],
        "standard_deviation": spread.deviation,
        "standard_deviation_by_chance": spread.expected,
        "standard_deviation_of_participants": spread.between,
    }


def _draw(report: Report, look: Look) -> Figure | None:
    """A panel for each type of trials, a row of points for each model."""
    from matplotlib.figure import Figure

    types = _by_type(report)
    if not types:
        return None
    most = max(len(spreads) for spreads in types)
    across = look.across(0.5, 3.0, len(types))
    down = math.ceil(len(types) / across)
    size = look.wide(2.5 + 4 * len(types)), look.scale * down * (1.2 + (0.3 if look.width is None else 0.2) * most)
    figure = Figure(figsize=size, layout="constrained")
    for panel, spreads in zip(panels(figure, len(types), across, sharex=True), types, strict=True):
        _draw_panel(panel, spreads, look)
        panel.tick_params(labelbottom=True)
    return figure


def _draw_panel(panel: Axes, spreads: Sequence[Spread], look: Look) -> None:
    from simtool.reporting.axes import Accuracies, bare

    for at, each in enumerate(spreads):
        aside = _ROOM * (scattered(len(each.accuracies)) - 0.5)
        low, median, high = each.quantiles(*_QUARTILES)
        panel.plot(each.accuracies, at + aside, ".", color=COLORS[0], alpha=0.4, markersize=3, mew=0)
        panel.plot([low, high], [at, at], color=INK, lw=2.2, solid_capstyle="butt")
        panel.plot(median, at, "o", color="white", mec=INK, markersize=4)
    panel.axvline(0.5, color=INK, lw=0.9)
    names = formatting.labels(((each.model, each.distance) for each in spreads), look.letters(formatting.LONGEST))
    panel.set_yticks(range(len(spreads)), names, fontsize="small")
    panel.set_ylim(len(spreads) - 0.4, -0.6)
    panel.set_title(f"{spreads[0].people.trial_type}: {_count(spreads)}", fontweight="bold")
    panel.set_xlabel(
        "triplet accuracy (circle: median,\nline: quartiles)"
        if look.width
        else "triplet accuracy (circle: median, line: quartiles)",
    )
    panel.xaxis.set_major_formatter(Accuracies())
    bare(panel)


PARTICIPANTS = Section("participants", _sheets, _records, _draw)

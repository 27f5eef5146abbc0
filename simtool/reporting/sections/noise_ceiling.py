"""The noise ceiling: agreement of people, limits of the best model, and how far each model gets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple
from typing import TYPE_CHECKING

from simtool.analysis.inference.intervals import Interval
from simtool.analysis.metrics import Order
from simtool.analysis.noise_ceiling import NoiseCeiling, Reach
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.look import Look, panels
from simtool.reporting.palette import BAND, COLORS, INK
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["NOISE_CEILING"]

PEOPLE, BEST = COLORS[4], COLORS[2]


def _sheets(report: Report) -> list[Sheet]:
    return [_sheet(ceiling, report) for ceiling in report.noise_ceilings if ceiling.reached]


def _title(ceiling: NoiseCeiling) -> str:
    judgments = counted(ceiling.judgments, "judgments")
    what = f"{ceiling.metric.label}, {ceiling.trial_type}, on repeated judgments"
    return (
        f"{what}: {judgments} of {ceiling.repeated:,} {ceiling.judged}, chance {formatting.accuracy(ceiling.chance, 3)}"
    )


def _sheet(ceiling: NoiseCeiling, report: Report) -> Sheet:
    level = formatting.percent(report.settings.level)
    header = ["model", "distance", "accuracy", f"{level} CI", "of the way to the best", f"{level} CI"]
    models = [[*formatting.entry(each), *formatting.reach(each)] for each in _ranked(ceiling, report)]
    return Sheet(
        _title(ceiling),
        header,
        [*_people(ceiling), *models],
        in_terminal=False,
        caption=_CAPTION,
        subject=Subject(ceiling.trial_type, ceiling.metric.label, ""),
    )


_CAPTION = (
    "The last columns say how much of the way from chance to the estimated accuracy of the best model a model gets. "
    "Their intervals hold the errors of the accuracy and of the estimate."
)


def _people(ceiling: NoiseCeiling) -> Iterator[list[str]]:
    """The lines that are no model."""
    if ceiling.agreement is None or ceiling.best is None or ceiling.bracket is None:
        return
    for name, found in (("one other person", ceiling.agreement), ("best model, estimated", ceiling.best)):
        ends = formatting.limits(found.low, found.high)
        yield [f"({name})", "", formatting.accuracy(found.estimate), ends, "", ""]
    yield ["(best model, limits)", "", formatting.limits(*ceiling.bracket), "", "", ""]


def _ranked(ceiling: NoiseCeiling, report: Report) -> list[Reach]:
    """The models by their accuracy on these judgments, or in the order of the report if it is another one."""
    if report.settings.order is Order.ACCURACY:
        return sorted(ceiling.reached, key=lambda each: -each.accuracy.estimate)
    place = report.places
    return sorted(ceiling.reached, key=lambda each: place[each.model, each.distance])


def _records(report: Report) -> list[Record]:
    return [record for ceiling in report.noise_ceilings for record in _records_of(ceiling, report)]


def _records_of(ceiling: NoiseCeiling, report: Report) -> Iterator[Record]:
    low, high = ceiling.bracket or (None, None)
    shared = {"trial_type": ceiling.trial_type, "chance": ceiling.chance, "observers": report.observers}
    shared |= {"weighted": report.settings.weighted, "limits_metric": ceiling.metric.name}
    yield {
        **shared,
        "metric": "noise_ceiling",
        **_numbers("agreement", ceiling.agreement),
        "low": low,
        "high": high,
        **_numbers("point", ceiling.best),
        "distinct": ceiling.distinct,
        "repeated": ceiling.repeated,
        "judgments": ceiling.judgments,
        **_numbers("repeated_accuracy", None),
    }
    for each in ceiling.reached:
        found = each.share
        yield {
            **shared,
            "model": each.model,
            "distance": each.distance,
            "metric": "noise_ceiling_share",
            "estimate": found and found.estimate,
            "low": found and found.low,
            "high": found and found.high,
            **_numbers("repeated_accuracy", each.accuracy),
        }


def _numbers(name: str, found: Interval | None) -> Record:
    names = name, f"{name}_low", f"{name}_high"
    return dict.fromkeys(names) if found is None else dict(zip(names, astuple(found), strict=True))


def _draw(report: Report, look: Look) -> Figure | None:
    from matplotlib.figure import Figure

    ceilings = [ceiling for ceiling in report.noise_ceilings if ceiling.reached]
    if not ceilings:
        return None
    places = {(each.model, each.distance): at for at, each in enumerate(_ranked(ceilings[0], report))}
    for ceiling in ceilings[1:]:
        for each in ceiling.reached:
            places.setdefault((each.model, each.distance), len(places))
    names = formatting.labels(places, look.letters(formatting.LONGEST))
    longest = 0.07 * max(map(len, names))
    across = look.across(longest, 1.9, len(ceilings))
    down = math.ceil(len(ceilings) / across)
    row = 0.2 if look.width is None else 0.16
    size = look.wide(0.5 + longest + 3.2 * len(ceilings)), look.scale * (0.9 + down * (1.2 + row * len(places)))
    figure = Figure(figsize=size, layout="constrained")
    made = panels(figure, len(ceilings), across, sharey=True)
    for panel, ceiling in zip(made, ceilings, strict=True):
        _draw_panel(panel, ceiling, places)
    made[0].set_yticks(range(len(places)), names)
    made[0].set_ylim(len(places) - 0.4, -0.6)
    handles, labels = made[0].get_legend_handles_labels()
    title = f"Points are models, with {formatting.percent(report.settings.level)} intervals"
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=look.across(0, 2.6, 2),
        frameon=False,
        title=title,
    )
    return figure


def _draw_panel(panel: Axes, ceiling: NoiseCeiling, places: dict[tuple[str, str], int]) -> None:
    from simtool.reporting.axes import Accuracies, bare

    people, best, bracket = ceiling.agreement, ceiling.best, ceiling.bracket
    if people is None or best is None or bracket is None:
        return
    panel.axvline(ceiling.chance, color=INK, lw=0.9, label="chance")
    panel.axvspan(*bracket, color=BAND, alpha=0.6, lw=0, label="limits of the best model")
    for found, color, style, label in (
        (people, PEOPLE, (0, (4, 2)), "one other person, and interval"),
        (best, BEST, "-", "estimate for the best model, and interval"),
    ):
        panel.axvspan(found.low, found.high, color=color, alpha=0.15, lw=0)
        panel.axvline(found.estimate, color=color, lw=1.2, ls=style, label=label)
    for each in ceiling.reached:
        at = places[each.model, each.distance]
        panel.hlines(at, each.accuracy.low, each.accuracy.high, color=INK, lw=1.1)
        panel.plot(each.accuracy.estimate, at, "o", color=INK, ms=3.5)
    panel.set_title(f"{ceiling.trial_type}\n{counted(ceiling.judgments, 'repeated judgments')}", fontweight="bold")
    panel.set_xlabel(f"{ceiling.metric.label.lower()} on these judgments")
    panel.xaxis.set_major_formatter(Accuracies())
    bare(panel)
    panel.tick_params(axis="y", labelsize="small")


NOISE_CEILING = Section("noise-ceiling", _sheets, _records, _draw)

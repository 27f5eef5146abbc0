"""Controls: tables of what training adds to the accuracy of models, and their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from simtool.analysis.controls import TrainingGain
from simtool.analysis.labels import LABELS
from simtool.analysis.report import Report, Row
from simtool.reporting import formatting
from simtool.reporting.sections.differences import of_row
from simtool.reporting.sections.groups import Group, groups, shown
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.text import counted

__all__ = ["CONTROLS"]

#: The most lines about parts of the trials in a table of the terminal.
_SHOWN = 30
_CAPTION = (
    "Untrained: the mean accuracy of the controls, which are the same network with random initial weights. Gain: "
    "trained minus untrained. Its interval is about new people and images, not about new seeds."
)


def _groups(report: Report) -> list[Group]:
    """The accuracies with controls: of whole strata, and of their parts."""
    return groups(report, lambda row: row.gains)


def _gains(group: Group) -> list[tuple[Row, TrainingGain]]:
    """The gains in the order of their models; that of several models after the last of them."""
    place = {(row.model, row.distance): at for at, row in enumerate(group.rows)}

    def key(found: tuple[Row, TrainingGain]) -> tuple[int, int]:
        row, gain = found
        return max(place[model, row.distance] for model in gain.models), len(gain.models)

    return sorted(((row, gain) for row in group.rows for gain in row.gains), key=key)


def _sheets(report: Report) -> list[Sheet]:
    found = shown(report, _groups(report))
    divided: dict[tuple[str, str, str], list[Group]] = {}
    for group in found:
        if group.part is not None:
            first = group.rows[0]
            divided.setdefault((first.metric.label, first.trial_type, group.part.by), []).append(group)
    whole = [_whole(group, report) for group in found if group.part is None]
    whole[:1] = [replace(first, caption=f"{_CAPTION} {first.caption}") for first in whole[:1]]
    return whole + [_parts(own, report) for own in divided.values()]


def _whole(group: Group, report: Report) -> Sheet:
    """A line for each model with controls."""
    gains = _gains(group)
    lines = [
        [
            *_entry(row, gain, gains),
            formatting.accuracy(gain.accuracy),
            formatting.accuracy(gain.control),
            formatting.limits(min(gain.untrained), max(gain.untrained)) if len(gain.untrained) > 1 else "",
            str(len(gain.seeds)),
            *_difference(gain),
        ]
        for row, gain in gains
    ]
    header = ["model", "distance", "trained", "untrained", "range", "seeds", *_titles(report)]
    title = f"{group.title}: trained minus untrained"
    return Sheet(title, header, lines, caption=_adjusted(group), optional=(4, 5, 2, 3), subject=group.subject)


def _parts(found: Sequence[Group], report: Report) -> Sheet:
    """A line for each model with controls and each part of the trials."""
    lines, subjects = [], []
    for group in found:
        part = group.part
        gains = _gains(group)
        for row, gain in gains:
            names = [*_entry(row, gain, gains), "" if part is None else formatting.name(part.name)]
            means = [formatting.accuracy(gain.accuracy), formatting.accuracy(gain.control)]
            lines.append([*names, *means, *_difference(gain)])
            subjects.append(group.subject)
    first = found[0].rows[0]
    by = "" if first.part is None else first.part.by
    what = "the labels of the images" if by == LABELS else formatting.name(by)
    header = ["model", "distance", "part", "trained", "untrained", *_titles(report)]
    return Sheet(
        f"{first.metric.label} by {what}, {formatting.trials_of(first.trial_type)}: trained minus untrained",
        header,
        lines,
        texts=3,
        caption=f"{_adjusted(found[0])[:-1]} in each part.",
        in_terminal=len(lines) <= _SHOWN,
        optional=(3, 4),
        subjects=subjects,
    )


def _entry(row: Row, gain: TrainingGain, gains: Sequence[tuple[Row, TrainingGain]]) -> list[str]:
    """The cells that name a model or the mean of several, and the distance. Of several means, each says of which."""
    model, distance = formatting.entry(row)
    if len(gain.models) == 1:
        return [model, distance]
    means = {other.models for _, other in gains if len(other.models) > 1}
    shared = _common(gain.models) if len(means) > 1 else ""
    return [f"mean of {len(gain.models)}" + (f": {shared}" if shared else ""), distance]


def _common(models: Sequence[str]) -> str:
    """The words with which all names of models start and end: ``Glow … level-1 (window 0.5)``."""
    names = [formatting.name(model).split() for model in models]
    start = _same(names)
    end = _same([name[len(start) :][::-1] for name in names])[::-1]
    return " … ".join(" ".join(words) for words in (start, end) if words)


def _same(names: Sequence[Sequence[str]]) -> list[str]:
    """The first words of names, as long as they are the same."""
    columns = zip(*names, strict=False)
    return [words[0] for words in takewhile(lambda words: len(set(words)) == 1, columns)]


def _titles(report: Report) -> list[str]:
    return ["gain", f"{formatting.percent(report.settings.level)} CI", "p (Holm)"]


def _difference(gain: TrainingGain) -> list[str]:
    found = gain.difference
    interval = formatting.EQUAL if gain.is_identical else formatting.difference_interval(found)
    return [formatting.signed(found.estimate), interval, formatting.p_value(found.p_holm)]


def _adjusted(group: Group) -> str:
    """The family of the adjustment."""
    sizes = dict.fromkeys(gain.tested for _, gain in _gains(group))
    return f"Holm's method adjusts the p values over {' and '.join(counted(size, 'differences') for size in sizes)}."


def _records(report: Report) -> list[Record]:
    return [_record(row, gain) for group in _groups(report) for row, gain in _gains(group)]


def _record(row: Row, gain: TrainingGain) -> Record:
    return {
        "model": ", ".join(gain.models),
        **of_row(row, gain.difference, "training_gain"),
        "tested": gain.tested,
        "identical": gain.is_identical,
        "models": len(gain.models),
        "trained_accuracy": gain.accuracy,
        "controls": len(gain.controls),
        "control_models": ", ".join(gain.controls),
        "control_seeds": ", ".join(map(str, gain.seeds)),
        "control_accuracy": gain.control,
        "control_least": min(gain.untrained),
        "control_greatest": max(gain.untrained),
    }


CONTROLS = Section("controls", _sheets, _records)

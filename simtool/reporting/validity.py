"""Views of the checks of a study: terminal and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from simtool.analysis.inference.units import Units
from simtool.analysis.report import Sample
from simtool.reporting.formatting import accuracy, entry, name, percent, signed
from simtool.reporting.sections.section import Record, Sheet
from simtool.reporting.terminal import SheetTable
from simtool.text import counted
from simtool.validity.check import Check
from simtool.validity.coverage import Coverage, Found
from simtool.validity.power import LEVEL, POWER
from simtool.validity.recovery import Vectors
from simtool.validity.share import Share

__all__ = ["records", "terminal_check", "to_json"]


def terminal_check(check: Check) -> RenderableType:
    """Lay the checks out for a terminal."""
    parts: list[RenderableType] = [Text(f"Validity of {_design(check.sample)}", style="bold")]
    for sheet in sheets(check):
        parts += ["", SheetTable(sheet)]
    parts += ["", *(Text(line, style="dim") for line in _method(check))]
    parts += [Text(line, style="yellow") for line in _notes(check)]
    return Group(*parts)


def sheets(check: Check) -> list[Sheet]:
    """The tables of the checks; those without lines are left out."""
    found = [_detectable, _coverage, _type_1, _widths, _power, _shuffled, _recovered, _students]
    return [sheet for make in found if (sheet := make(check)).lines]


def _design(sample: Sample) -> str:
    units = f"{sample.cluster_count:,} {sample.clusters}"
    return f"{counted(sample.trials, 'trials')} of {units} with {counted(sample.images, 'images')}"


def _method(check: Check) -> list[str]:
    return [
        f"Simulated people choose by Luce's rule. They are as predictable as the best model finds real people: it "
        f"predicts {accuracy(check.best, 3)} of all comparisons. ± is the Monte Carlo standard error.",
        f"{counted(check.studies, 'studies')} of each kind, {check.setting.replicates:,} replicates, "
        f"seed {check.setting.seed}.",
    ]


def _notes(check: Check) -> list[str]:
    notes = []
    if doubtful := [row for row in check.shuffled if not row.is_at_chance]:
        first = doubtful[0]
        notes.append(
            f"{name(first.model)} by {name(first.distance)} is not at chance on shuffled judgments "
            f"({counted(len(doubtful), 'rows')} in all): its accuracies cannot be trusted."
        )
    if check.shuffled and not check.recovered:
        notes.append("Model recovery needs the tables of two models or more: --vectors TABLE.")
    if not check.shuffled:
        notes.append("Shuffled judgments and model recovery need the tables that were scored: --vectors TABLE.")
    return notes


def _detectable(check: Check) -> Sheet:
    lines = [
        [row.trial_type, f"{row.pairs:,}", *(accuracy(value) for value in (*row.error, *row.difference))]
        for row in check.detectable
    ]
    header = ["trials", "pairs", "SE low", "median", "high", "found from", "median", "to"]
    return Sheet(
        "Smallest differences between your models that can be found",
        header,
        lines,
        texts=1,
        caption=f"A test of level {accuracy(LEVEL, 2)} finds a true difference of this size with probability "
        f"{accuracy(POWER, 1)}, before the correction for several tests.",
    )


def _coverage(check: Check) -> Sheet:
    return _by_repetition(
        check,
        f"Coverage: the share of simulated studies whose {percent(check.setting.level)} interval holds the truth",
        lambda row: _plain(row.held),
        "good, blind: accuracies of two models. equal, close, good - blind: differences of two models. "
        + _error([row.held for row in check.coverage]),
    )


def _type_1(check: Check) -> Sheet:
    rejected = [row.rejected for row in check.coverage if row.rejected is not None]
    return _by_repetition(
        check,
        "Type I error: the share of simulated studies in which a test rejects the true difference",
        lambda row: None if row.rejected is None else _plain(row.rejected),
        f"The level of the test is {accuracy(LEVEL, 2)}. {_error(rejected)}",
    )


def _widths(check: Check) -> Sheet:
    return _by_repetition(
        check,
        "Width of the intervals, relative to the variation of the estimates over the studies",
        lambda row: f"{row.width:.2f}" if math.isfinite(row.width) else "",
        "1 is right. 2: the intervals are twice as wide as they need to be.",
    )


def _by_repetition(check: Check, title: str, cell: Callable[[Coverage], str | None], caption: str) -> Sheet:
    """A line for each kind of repetition, and a column for each quantity that has a cell."""
    kinds = list(dict.fromkeys(map(_kind, check.coverage)))
    cells = {(_kind(row), row.of): found for row in check.coverage if (found := cell(row)) is not None}
    columns = list(dict.fromkeys(of for _, of in cells))
    lines = [[kind, *(cells[kind, of] for of in columns)] for kind in kinds]
    return Sheet(title, ["studies with", *columns], lines, texts=1, caption=caption)


def _kind(row: Coverage | Found) -> str:
    """The kind of repetition, and the option of ``report`` for other intervals than the usual ones."""
    option = {
        Units.IMAGE: "",
        Units.CLASS: " (--cluster class)",
        Units.GROUP: " (--cluster group)",
        Units.NOTHING: " (--fixed-images)",
    }
    return f"{row.redrawn}{option[row.units]}"


def _plain(share: Share) -> str:
    return accuracy(share.value, 3) if share.value < 1 else "1.000"


def _error(shares: Sequence[Share]) -> str:
    return f"Monte Carlo standard error: {accuracy(max(share.error for share in shares), 3)} or less."


def _power(check: Check) -> Sheet:
    lines = [
        [
            _kind(row),
            signed(row.difference),
            accuracy(row.error) if math.isfinite(row.error) else "",
            accuracy(row.predicted, 2),
            _share(row.observed),
        ]
        for row in check.power
    ]
    return Sheet(
        "Power in simulated studies",
        ["studies with", "true difference", "mean SE", "predicted", "found"],
        lines,
        texts=1,
        caption="The power that standard errors predict, and the share of studies in which the test finds the "
        "difference.",
    )


def _shuffled(check: Check) -> Sheet:
    lines = [
        [*entry(row), f"{accuracy(row.accuracy)} ± {accuracy(row.error)}", _share(row.held)] for row in check.shuffled
    ]
    level = percent(check.setting.level)
    return Sheet("Shuffled judgments: chance is .5", ["model", "distance", "accuracy", f".5 in {level} CI"], lines)


def _recovered(check: Check) -> Sheet:
    lines = [
        [
            name(row.model),
            name(row.distance),
            accuracy(row.accuracy),
            _share(row.won),
            "" if row.lead is None else signed(row.lead),
            name(row.rival or ""),
        ]
        for row in check.recovered
    ]
    return Sheet(
        "Model recovery: the simulated people judge by one of your models",
        ["judged by", "distance", "accuracy", "recovered", "lead", "else wins"],
        lines,
        caption="Recovered: this model has the highest accuracy, by one of its distances, and no other model the same. "
        "Lead: its accuracy minus that of the best other model.",
    )


def _students(check: Check) -> Sheet:
    found = {(row.model, row.rule, row.candidates): row for row in check.students}
    lines = []
    for model, rule in dict.fromkeys((row.model, row.rule) for row in check.students):
        plain, learned = (found[model, rule, candidates] for candidates in Vectors)
        rivals = [name(row.rival or "") for row in (plain, learned)]
        lines.append([name(model), rule.value, _share(plain.won), rivals[0], _share(learned.won), rivals[1]])
    header = ["judged by", "its vectors", "as they are", "else wins", "reweighted", "else wins"]
    return Sheet(
        "Model recovery, with models as they are and after each has learned from the judgments",
        header,
        lines,
        caption="Reweighted: a full linear map of each model, tested on held-out trials.",
    )


def _share(share: Share) -> str:
    return f"{_plain(share)} ± {accuracy(share.error, 3)}"


def records(check: Check) -> list[Record]:
    """One flat object for each row of each check; ``check`` names the check."""
    return [
        *(
            {
                "check": "detectable",
                "trial_type": row.trial_type,
                "pairs": row.pairs,
                **_spread("standard_error", row.error),
                **_spread("difference", row.difference),
                "level": LEVEL,
                "power": POWER,
            }
            for row in check.detectable
        ),
        *(
            {
                "check": "coverage",
                "studies_with": row.redrawn.value,
                "units": row.units.value,
                "quantity": row.quantity,
                "of": row.of,
                "truth": row.truth,
                **_counts("coverage", row.held),
                **(_counts("type_1", row.rejected) if row.rejected else {}),
                "width": row.width if math.isfinite(row.width) else None,
                "studies": row.held.studies,
            }
            for row in check.coverage
        ),
        *(
            {
                "check": "power",
                "studies_with": row.redrawn.value,
                "units": row.units.value,
                "difference": row.difference,
                "standard_error": row.error if math.isfinite(row.error) else None,
                "predicted": row.predicted,
                **_counts("observed", row.observed),
                "studies": row.observed.studies,
            }
            for row in check.power
        ),
        *(
            {
                "check": "shuffled",
                "model": row.model,
                "distance": row.distance,
                "accuracy": row.accuracy,
                "accuracy_error": row.error,
                **_counts("coverage", row.held),
                "studies": row.held.studies,
            }
            for row in check.shuffled
        ),
        *(
            {
                "check": "recovery",
                "model": row.model,
                "distance": row.distance,
                "rule": row.rule.value,
                "candidates": row.candidates.value,
                "accuracy": row.accuracy,
                **_counts("recovered", row.won),
                "lead": row.lead,
                "rival": row.rival,
                "studies": row.won.studies,
            }
            for row in (*check.recovered, *check.students)
        ),
    ]


def _counts(label: str, share: Share) -> dict[str, Any]:
    return {label: share.value, f"{label}_error": share.error}


def _spread(label: str, values: Sequence[float]) -> dict[str, Any]:
    return {f"{label}_{which}": value for which, value in zip(("low", "median", "high"), values, strict=True)}


def to_json(check: Check) -> str:
    """A list of objects, with numbers in full."""
    return json.dumps(records(check), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

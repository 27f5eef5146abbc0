"""Choice models: their likelihood, calibration and entropy, in tables, and a reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simtool.analysis.prediction import Bin, Calibration, Prediction
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.look import Look, panels
from simtool.reporting.palette import COLORS, INK, QUIET
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject
from simtool.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PREDICTIONS"]

#: The least number of comparisons of a bin that is drawn. The share of fewer is known to .1 at best.
_DRAWN = 100
_LIKELIHOOD = (
    "NLL: the mean negative log-likelihood of the selections in nats; temperatures are fitted to other trials. "
    "ECE: the expected calibration error, the mean difference between predicted probabilities of comparisons and the "
    "shares of judgments."
)


def _by_type(report: Report) -> dict[str, list[Prediction]]:
    """The predictions of each trial type, from the most probable."""
    types = dict.fromkeys(each.trial_type for each in report.predictions)
    return {
        name: sorted((each for each in report.predictions if each.trial_type == name), key=lambda each: each.loss)
        for name in types
    }


def _sheets(report: Report) -> list[Sheet]:
    level = formatting.percent(report.settings.level)
    return [
        replace(sheet, subject=Subject(trial_type))
        for trial_type, found in _by_type(report).items()
        for sheet in _of_type(trial_type, found, level)
    ]


def _of_type(trial_type: str, found: Sequence[Prediction], level: str) -> Iterator[Sheet]:
    yield _likelihoods(trial_type, found, level)
    if found[0].entropy is not None:
        yield _entropies(trial_type, found, level)
    if any(each.calibration for each in found):
        yield _bins(trial_type, found, level)


def _likelihoods(trial_type: str, found: Sequence[Prediction], level: str) -> Sheet:
    first = found[0]
    title = f"Choice models, {trial_type}: {counted(first.trials, 'trials')}, NLL of guessing {first.chance:.3f}"
    lines = [
        [*formatting.entry(each), f"{each.loss:.3f}", _ends(each.low, each.high), *_calibration(each.calibration)]
        for each in found
    ]
    return Sheet(title, ["model", "distance", "NLL", f"{level} CI", "ECE", f"{level} CI"], lines, 2, _LIKELIHOOD)


def _calibration(found: Calibration | None) -> list[str]:
    if found is None:
        return ["", ""]
    return [formatting.accuracy(found.error, 3), formatting.ends(found.low, found.high)]


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _entropies(trial_type: str, found: Sequence[Prediction], level: str) -> Sheet:
    """People first, because all models are compared with them."""
    known = [(each, each.entropy) for each in found if each.entropy is not None]
    people = known[0][1]
    lines = [
        [
            "(people, estimated)",
            "",
            f"{people.people:.3f}",
            _ends(people.people_low, people.people_high),
            formatting.accuracy(people.people_disagreement, 3),
        ]
    ]
    for each, own in known:
        numbers = [f"{own.model:.3f}", _ends(own.model_low, own.model_high)]
        lines.append([*formatting.entry(each), *numbers, formatting.accuracy(own.model_disagreement, 3)])
    title = f"Entropy of comparisons, {trial_type}: {people.judgments:,} judgments of repeated comparisons"
    caption = (
        "Mean entropy in nats; guessing has 0.693. Disagreement: the probability that two choices differ, of two "
        "people or of the model. With this disagreement of people, their mean entropy is between "
        f"{people.lowest:.3f} and {people.highest:.3f}; the estimate assumes a beta distribution of probabilities."
    )
    return Sheet(title, ["model", "distance", "entropy", f"{level} CI", "disagreement"], lines, 2, caption)


def _bins(trial_type: str, found: Sequence[Prediction], level: str) -> Sheet:
    """The numbers of the reliability diagram."""
    lines = [
        [*formatting.entry(each), *_bin(own)]
        for each in found
        if each.calibration is not None
        for own in each.calibration.bins
    ]
    header = ["model", "distance", "predicted", "observed", f"{level} CI", "comparisons"]
    caption = (
        "Of the comparisons that a model predicts with about the same probability: its mean, and the share right. "
        f"The figure shows bins of at least {_DRAWN} comparisons."
    )
    return Sheet(f"Calibration, {trial_type}", header, lines, 2, caption, in_terminal=False)


def _bin(found: Bin) -> list[str]:
    shares = [formatting.accuracy(share, 3) for share in (found.predicted, found.observed)]
    return [*shares, formatting.ends(found.low, found.high), f"{found.comparisons:,}"]


def _records(report: Report) -> list[Record]:
    return [record for each in report.predictions for record in (_record(each), *_bin_records(each))]


def _shared(found: Prediction) -> dict[str, object]:
    return {"model": found.model, "distance": found.distance, "trial_type": found.trial_type}


def _record(found: Prediction) -> Record:
    calibration, entropy = found.calibration, found.entropy
    return {
        **_shared(found),
        "metric": "negative_log_likelihood",
        "estimate": found.loss,
        "low": found.low,
        "high": found.high,
        "chance": found.chance,
        "trials": found.trials,
        "comparisons": found.comparisons,
        "calibration_error": calibration and calibration.error,
        "calibration_error_low": calibration and calibration.low,
        "calibration_error_high": calibration and calibration.high,
        "judgments": entropy and entropy.judgments,
        "entropy": entropy and entropy.model,
        "entropy_low": entropy and entropy.model_low,
        "entropy_high": entropy and entropy.model_high,
        "disagreement": entropy and entropy.model_disagreement,
        "people_entropy": entropy and entropy.people,
        "people_entropy_low": entropy and entropy.people_low,
        "people_entropy_high": entropy and entropy.people_high,
        "people_entropy_least": entropy and entropy.lowest,
        "people_entropy_greatest": entropy and entropy.highest,
        "people_disagreement": entropy and entropy.people_disagreement,
    }


def _bin_records(found: Prediction) -> list[Record]:
    return [
        {
            **_shared(found),
            "metric": "calibration",
            "estimate": own.observed,
            "low": own.low,
            "high": own.high,
            "comparisons": own.comparisons,
            "predicted": own.predicted,
        }
        for own in (found.calibration.bins if found.calibration else ())
    ]


def _draw(report: Report, look: Look) -> Figure | None:
    """A reliability diagram for each trial type, with the best distance of each model."""
    types = {
        name: calibrated
        for name, found in _by_type(report).items()
        if (calibrated := [each for each in found if each.calibration is not None])
    }
    if not types:
        return None
    from matplotlib.figure import Figure

    models = list(dict.fromkeys(each.model for found in types.values() for each in found))[: len(COLORS)]
    across = look.across(0.4, 2.4, len(types))
    down = math.ceil(len(types) / across)
    size = look.wide(0.6 + 3.6 * len(types)), look.scale * down * (3.7 + 0.16 * len(models))
    figure = Figure(figsize=size, layout="constrained")
    made = panels(figure, len(types), across, sharey=True)
    for panel, (trial_type, found) in zip(made, types.items(), strict=True):
        best = {each.model: each for each in reversed(found)}  # the last one is the most probable
        _draw_panel(panel, [best[model] for model in models if model in best], models, look)
        panel.set_title(trial_type, fontweight="bold")
    made[0].set_ylabel("share of judgments")
    return figure


def _drawn(found: Calibration | None) -> list[Bin]:
    """The bins with enough comparisons."""
    return [] if found is None else [own for own in found.bins if own.comparisons >= _DRAWN]


def _draw_panel(panel: Axes, found: Sequence[Prediction], models: Sequence[str], look: Look) -> None:
    panel.plot([0.5, 1], [0.5, 1], color=QUIET, lw=0.9, ls=(0, (4, 2)), zorder=1)
    names = formatting.labels(((each.model, each.distance) for each in found), look.letters(formatting.LONGEST))
    for each, name in zip(found, names, strict=True):
        bins, color = _drawn(each.calibration), COLORS[models.index(each.model)]
        error = "" if each.calibration is None else f", ECE {formatting.accuracy(each.calibration.error, 3)}"
        label = f"{name}{error}"
        predicted, observed = [own.predicted for own in bins], [own.observed for own in bins]
        panel.plot(predicted, observed, color=color, lw=1.1, marker="o", ms=3, label=label, zorder=3)
        for own in bins:
            if own.low is not None and own.high is not None:
                panel.vlines(own.predicted, own.low, own.high, color, lw=0.8)
    panel.set_xlim(0.49, 1.01)
    panel.set_ylim(0.39, 1.01)
    panel.set_xlabel(f"predicted probability (bins of {_DRAWN} comparisons or more)")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(colors=INK)
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)


PREDICTIONS = Section("predictions", _sheets, _records, _draw)

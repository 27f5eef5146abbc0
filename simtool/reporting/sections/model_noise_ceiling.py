"""The model-based noise ceiling: a table of the accuracies on held-out and on simulated choices."""

from __future__ import annotations

from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.sections.section import Record, Section, Sheet
from simtool.reporting.sections.subject import Subject
from simtool.tables.checks import Check

__all__ = ["MODEL_NOISE_CEILING"]

_SUBJECT = Subject(metric=TRIPLET_ACCURACY.label, stratum="")
_HEADER = ("model", "trials", "held out", "own choices", "fitted again", "noise ceiling")
_CAPTION = (
    "Own choices are simulated by the fitted model. Fitted again is a model that was fitted to such choices in the "
    "other folds. The difference is the loss by fitting: noise ceiling = held out + (own choices - fitted again). It "
    "is right if people choose as the model says."
)


def _sheets(report: Report) -> list[Sheet]:
    if not report.checks:
        return []
    lines = [
        [
            formatting.name(each.model),
            each.check.trial_type,
            *(formatting.accuracy(share) for share in _shares(each.check)),
        ]
        for each in report.checks
    ]
    subjects = [Subject(each.check.trial_type) for each in report.checks]
    title = "Model-based noise ceiling of triplet accuracy"
    return [Sheet(title, _HEADER, lines, 2, _CAPTION, subject=_SUBJECT, subjects=subjects)]


def _shares(check: Check) -> tuple[float, ...]:
    return check.accuracy, check.own, check.again, check.noise_ceiling


def _records(report: Report) -> list[Record]:
    return [
        {
            "model": each.model,
            "distance": each.distance,
            "trial_type": each.check.trial_type,
            "metric": "model_noise_ceiling",
            "estimate": each.check.noise_ceiling,
            "trials": each.check.trials,
            "held_out": each.check.accuracy,
            "own_choices": each.check.own,
            "fitted_again": each.check.again,
            "loss": each.check.loss,
        }
        for each in report.checks
    ]


MODEL_NOISE_CEILING = Section("model-noise-ceiling", _sheets, _records)

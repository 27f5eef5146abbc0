"""Choice models in tables, files and a reliability diagram."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.report import Report, Settings
from simtool.reporting.exports import records
from simtool.reporting.figure import section_bytes
from simtool.reporting.look import PLAIN
from simtool.reporting.sections.predictions import PREDICTIONS
from tests.scored import latent, model, observe, outcomes_of


def _report(kinds: dict[str, int], images: int = 12, fitted: bool = True) -> Report:
    rng = np.random.default_rng(0)
    minds = latent(rng, images)
    trials = observe(rng, minds, kinds, participants=40)
    scored = []
    for name, noise in (("good", 0.3), ("poor", 3.0)):
        plain = outcomes_of(name, "mse", trials, model(rng, minds, noise))
        chance = np.clip(
            0.5 + 0.8 / (1 + noise) * (plain.credit - 0.5) + rng.normal(0, 0.05, plain.credit.size), 0.01, 0.99
        )
        nats = np.log(0.5 + 0.4 * (np.add.reduceat(plain.credit, plain.start[:-1]) > 0) / (1 + noise))
        scored.append(
            replace(plain, log_likelihood=nats.astype(np.float32), probability=chance.astype(np.float32))
            if fitted
            else plain
        )
    return build_report(scored, Settings(replicates=100))


@pytest.fixture(scope="module")
def report() -> Report:
    return _report({"8-rank-2": 20, "2-choose-1": 1500}, images=6 + 3)


def test_each_type_has_tables_of_likelihood_entropy_and_bins(report: Report) -> None:
    titles = [(sheet.title, sheet.in_terminal) for sheet in PREDICTIONS.sheets(report)]
    assert titles[0] == ("Choice models, 8-rank-2: 20 trials, NLL of guessing 4.025", True)
    assert ("Choice models, 2-choose-1: 1,500 trials, NLL of guessing 0.693", True) in titles
    assert any(title.startswith("Entropy of comparisons, 2-choose-1: 1,") for title, _ in titles)
    assert not any(title.startswith("Entropy of comparisons, 8-rank-2") for title, _ in titles)  # few repeats
    assert ("Calibration, 2-choose-1", False) in titles
    for sheet in PREDICTIONS.sheets(report):
        assert {len(line) for line in sheet.lines} == {len(sheet.header)}


def test_models_are_ordered_by_likelihood_and_people_come_first(report: Report) -> None:
    sheets = {sheet.title.split(":")[0]: sheet for sheet in PREDICTIONS.sheets(report)}
    assert [line[0] for line in sheets["Choice models, 2-choose-1"].lines] == ["good", "poor"]
    assert [line[0] for line in sheets["Entropy of comparisons, 2-choose-1"].lines] == [
        "(people, estimated)",
        "good",
        "poor",
    ]


def test_files_hold_every_number(report: Report) -> None:
    found = [record for record in records(report) if record["metric"] == "negative_log_likelihood"]
    assert [(record["model"], record["trial_type"]) for record in found] == [
        (each.model, each.trial_type) for each in report.predictions
    ]
    for record, each in zip(found, report.predictions, strict=True):
        assert each.calibration is not None
        assert record["estimate"] == each.loss
        assert record["chance"] == each.chance
        assert record["calibration_error"] == each.calibration.error
        assert record["people_entropy"] == (each.entropy and each.entropy.people)
    bins = [record for record in records(report) if record["metric"] == "calibration"]
    assert len(bins) == sum(len(each.calibration.bins) for each in report.predictions if each.calibration)
    assert all(0.5 <= record["predicted"] <= 1 for record in bins)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_reliability_diagram_is_drawn(report: Report, kind: str) -> None:
    drawn = section_bytes(PREDICTIONS, report, kind)
    assert drawn is not None
    assert drawn == section_bytes(PREDICTIONS, report, kind)


def test_it_is_empty_without_choice_models() -> None:
    plain = _report({"2-choose-1": 60}, fitted=False)
    assert not PREDICTIONS.sheets(plain)
    assert not PREDICTIONS.records(plain)
    assert section_bytes(PREDICTIONS, plain, "png") is None


def test_one_type_can_be_reported_alone(report: Report) -> None:
    assert {each.trial_type for each in report.of_type("8-rank-2").predictions} == {"8-rank-2"}


def test_the_diagram_leaves_out_bins_of_few_comparisons_and_files_hold_them(report: Report) -> None:
    figure = PREDICTIONS.draw(report, PLAIN) if PREDICTIONS.draw else None
    assert figure is not None
    for panel, kind in zip(figure.axes, ("8-rank-2", "2-choose-1"), strict=True):
        bins = {
            each.model: each.calibration.bins
            for each in report.predictions
            if each.trial_type == kind and each.calibration
        }
        assert any(own.comparisons < 100 for found in bins.values() for own in found)
        for line in panel.get_lines()[1:]:  # the first is the diagonal
            own = bins[str(line.get_label()).split()[0]]
            assert np.asarray(line.get_xdata()).tolist() == [each.predicted for each in own if each.comparisons >= 100]
        held = [each for each in records(report) if each["metric"] == "calibration" and each["trial_type"] == kind]
        assert len(held) == sum(map(len, bins.values()))
    (caption,) = (sheet.caption for sheet in PREDICTIONS.sheets(report) if sheet.title == "Calibration, 2-choose-1")
    assert caption is not None
    assert "at least 100 comparisons" in caption


def test_a_bin_without_weight_is_in_no_file() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    trials = observe(rng, minds, {"2-choose-1": 40}, weight=np.tile([0, 1], 20).astype(np.float32))
    plain = outcomes_of("good", "mse", trials, model(rng, minds, 0.3))
    chance = np.tile([0.95, 0.6], 20).astype(np.float32)
    scored = replace(plain, log_likelihood=np.log(chance), probability=chance)
    found = records(build_report([scored], Settings(replicates=100, weighted=True)))
    (held,) = (each for each in found if each["metric"] == "calibration")
    assert held["predicted"] == pytest.approx(0.6)
    json.dumps(found, allow_nan=False)

"""The model-based noise ceiling in tables and files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.report import Report, Settings
from simtool.reporting.exports import records
from simtool.reporting.sections.model_noise_ceiling import MODEL_NOISE_CEILING
from simtool.tables.checks import Check
from tests.scored import latent, model, observe, outcomes_of

CHECKS = (Check("8-rank-2", 5, 0.8, 0.79, 0.75, 2.5), Check("2-choose-1", 9, 0.7, 0.72, 0.71, 0.5))


@pytest.fixture(scope="module")
def report() -> Report:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    trials = observe(rng, minds, {"8-rank-2": 5, "2-choose-1": 9})
    plain, fitted = (outcomes_of(name, "mse", trials, model(rng, minds, 1.0)) for name in ("net", "psych"))
    return build_report([plain, replace(fitted, checks=CHECKS)], Settings(replicates=100))


def test_a_table_lists_the_models_that_were_fitted_to_choices(report: Report) -> None:
    (sheet,) = MODEL_NOISE_CEILING.sheets(report)
    assert [list(line) for line in sheet.lines] == [
        ["psych", "8-rank-2", ".8000", ".7900", ".7500", ".8400"],
        ["psych", "2-choose-1", ".7000", ".7200", ".7100", ".7100"],
    ]


def test_files_hold_the_numbers_in_full(report: Report) -> None:
    first, second = (record for record in records(report) if record["metric"] == "model_noise_ceiling")
    assert first["estimate"] == pytest.approx(0.84)
    assert (first["held_out"], first["own_choices"], first["fitted_again"], first["loss"]) == (0.8, 0.79, 0.75, 2.5)
    assert (second["model"], second["distance"], second["trial_type"], second["trials"]) == (
        "psych",
        "mse",
        "2-choose-1",
        9,
    )


def test_a_report_of_one_type_shows_the_noise_ceiling_of_this_type(report: Report) -> None:
    (sheet,) = MODEL_NOISE_CEILING.sheets(report.of_type("2-choose-1"))
    assert [line[1] for line in sheet.lines] == ["2-choose-1"]


def test_it_is_empty_without_such_models(report: Report) -> None:
    plain = replace(report, checks=())
    assert not MODEL_NOISE_CEILING.sheets(plain)
    assert not MODEL_NOISE_CEILING.records(plain)

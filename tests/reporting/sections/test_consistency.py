"""Error consistency in tables, files and a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.report import Report, Settings
from simtool.reporting.exports import records
from simtool.reporting.figure import section_bytes
from simtool.reporting.formatting import notes
from simtool.reporting.sections.consistency import CONSISTENCY
from tests.scored import latent, model, observe, outcomes_of


def _report(kinds: dict[str, int], models: int = 3, consistency: bool = True) -> Report:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    trials = observe(rng, minds, kinds)
    outcomes = [outcomes_of(f"model-{at}", "mse", trials, model(rng, minds, 1 + at)) for at in range(models)]
    return build_report(outcomes, Settings(replicates=100, consistency=consistency))


@pytest.fixture(scope="module")
def report() -> Report:
    return _report({"8-rank-2": 20, "2-choose-1": 60})


def test_a_table_lists_the_pairs_of_models_from_the_most_alike(report: Report) -> None:
    sheet = CONSISTENCY.sheets(report)[0]
    assert sheet.title == "Error consistency of models, 8-rank-2"
    assert sheet.in_terminal
    assert len(sheet.lines) == 3
    kappas = [float(line[4]) for line in sheet.lines]
    assert kappas == sorted(kappas, reverse=True)
    assert all(line[0] != line[2] for line in sheet.lines)


def test_files_hold_every_stratum(report: Report) -> None:
    found = [record for record in records(report) if record["metric"] == "error_consistency"]
    assert {record["trial_type"] for record in found} == {"8-rank-2", "2-choose-1"}
    first = next(each for each in report.consistency if each.trial_type == "8-rank-2")
    assert found[0] | {"estimate": first.kappa, "observed": first.observed, "other_model": "model-1"} == found[0]


def test_the_terminal_shows_few_pairs_and_files_show_all() -> None:
    many = _report({"2-choose-1": 60}, models=7)
    (sheet,) = CONSISTENCY.sheets(many)
    assert sheet.title.endswith("2-choose-1")
    assert (len(sheet.lines), sheet.in_terminal) == (21, False)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_matrix_is_drawn(report: Report, kind: str) -> None:
    drawn = section_bytes(CONSISTENCY, report, kind)
    assert drawn is not None
    assert drawn == section_bytes(CONSISTENCY, report, kind)


def test_it_is_empty_unless_it_is_wanted() -> None:
    plain = _report({"2-choose-1": 60}, consistency=False)
    assert not CONSISTENCY.sheets(plain)
    assert not CONSISTENCY.records(plain)
    assert section_bytes(CONSISTENCY, plain, "png") is None


def test_all_trials_together_have_a_note_instead(report: Report) -> None:
    note = "Error consistency is computed for each trial type, not for all trials together (--trial-type)."
    pooled = report.of_type("all")
    assert not CONSISTENCY.sheets(pooled)
    assert note in notes(pooled)
    assert note not in notes(report)

"""The table of metrics: a new metric is one entry."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simtool.analysis.building import build_report
from simtool.analysis.metrics import METRICS, TRIPLET_ACCURACY, Metric
from simtool.analysis.report import Settings
from simtool.cli import app
from simtool.designs import parse_type
from simtool.reporting import formatting
from simtool.tables.outcomes import Outcomes
from tests.scored import latent, model, observe, outcomes_of, write

FEW = Settings(replicates=100)
ALL_RIGHT = Metric(
    "all_right",
    "All comparisons right",
    chance=lambda kind: None if kind.comparisons == 1 else 0.01,
    of_trials=lambda _, credit, __: (credit == 1).all(axis=1),
)


@pytest.fixture
def scored() -> Outcomes:
    rng = np.random.default_rng(0)
    minds = latent(rng, 15)
    trials = observe(rng, minds, {"8-rank-2": 30, "4-choose-2": 20, "2-choose-1": 40})
    return outcomes_of("good", "mse", trials, model(rng, minds, 0.2))


def test_a_metric_that_is_added_to_the_table_is_computed_and_shown_like_the_others(
    scored: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, ALL_RIGHT.name, ALL_RIGHT)
    rows = {row.trial_type: row for row in build_report([scored], FEW).rows if row.metric is ALL_RIGHT}
    assert set(rows) == {"8-rank-2", "4-choose-2"}
    for kind in scored.trials.types:
        if str(kind) in rows:
            row, right = rows[str(kind)], (scored.of_type(kind) == 1).all(axis=1)
            assert row.estimate == pytest.approx(right.mean())
            assert row.low <= row.estimate <= row.high
            assert (row.chance, row.trials) == (0.01, right.size)

    table = write(tmp_path / "outcomes.parquet", scored)
    few = ["report", str(table), "--replicates", "100"]
    shown = CliRunner().invoke(app, [*few, "--metric", "all_right"]).stdout
    assert "All comparisons right, 8-rank-2: 30 trials, 390 comparisons, chance .010" in shown
    told = json.loads(CliRunner().invoke(app, [*few, "--json", "-"]).stdout)
    assert [each["trial_type"] for each in told if each["metric"] == "all_right"] == ["8-rank-2", "4-choose-2"]
    for view in ("--markdown", "--html"):
        assert "All comparisons right, 4-choose-2" in CliRunner().invoke(app, [*few, view, "-"]).stdout


def test_a_metric_of_comparisons_is_left_out_where_it_does_not_apply_or_chance_differs(
    scored: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_ranks = Metric("of_ranks", "Ranks", chance=lambda kind: 0.5 if kind.word == "rank" else None)
    uneven = Metric("uneven", "Uneven", chance=lambda kind: 1 / kind.n_reference)
    for metric in (of_ranks, uneven):
        monkeypatch.setitem(METRICS, metric.name, metric)
    rows = build_report([scored], FEW, [of_ranks, uneven]).rows
    assert [row.trial_type for row in rows if row.metric is of_ranks] == ["8-rank-2"]
    assert {row.trial_type for row in rows if row.metric is uneven} == {"8-rank-2", "4-choose-2", "2-choose-1"}


@pytest.mark.parametrize(
    ("kind", "chances"),
    [
        ("8-rank-2", {"triplet_accuracy": 1 / 2, "top_1": 1 / 8, "ordered": 1 / 56, "unordered": 1 / 28}),
        ("2-choose-1", {"triplet_accuracy": 1 / 2, "top_1": 1 / 2}),
        ("4-choose-2", {"triplet_accuracy": 1 / 2, "top_1": 1 / 2, "unordered": 1 / 6}),
        ("3-rank-1", {"triplet_accuracy": 1 / 2, "top_1": 1 / 3}),
        ("3-odd-1", {"triplet_accuracy": 1 / 2, "odd_one_out": 1 / 3}),
        ("4-odd-1", {"triplet_accuracy": 1 / 2, "odd_one_out": 1 / 3}),
    ],
)
def test_a_metric_applies_to_a_type_exactly_if_it_has_a_chance_there(kind: str, chances: dict[str, float]) -> None:
    found = {name: metric.chance(parse_type(kind)) for name, metric in METRICS.items()}
    assert {name: chance for name, chance in found.items() if chance is not None} == pytest.approx(chances)


def test_metrics_of_trials_get_half_credit_for_ties_by_expectation(scored: Outcomes) -> None:
    kind = parse_type("8-rank-2")
    credit, selected = np.full((1, 13), 0.5, np.float32), np.array([[3, 1]])
    for name, expected in (("top_1", 1 / 8), ("ordered", 1 / 56), ("unordered", 1 / 28)):
        of_trials = METRICS[name].of_trials
        assert of_trials is not None
        assert of_trials(kind, credit, selected) == pytest.approx(expected)


def test_an_unknown_metric_is_one_line_with_the_known_metrics(scored: Outcomes, tmp_path: Path) -> None:
    table = write(tmp_path / "outcomes.parquet", scored)
    command = [sys.executable, "-m", "simtool", "report", str(table), "--metric", "top1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: --metric is one of {', '.join(METRICS)}, not top1 (did you mean top_1?)\n"


def test_a_report_can_be_pickled(scored: Outcomes) -> None:
    report = build_report([scored], FEW)
    again = pickle.loads(pickle.dumps(report))  # noqa: S301 (our own)
    assert again == report
    assert again.rows[0].metric is report.rows[0].metric


def test_the_table_of_metrics_imports_nothing_heavy() -> None:
    code = "import sys, simtool.analysis.metrics; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_labels_name_the_tables(scored: Outcomes) -> None:
    blocks = list(build_report([scored], FEW).blocks())
    assert {block.metric.name for block in blocks} == METRICS.keys() - {"odd_one_out"}
    assert all(formatting.headline(block).startswith(f"{block.metric.label}, ") for block in blocks)
    assert blocks[0].metric is TRIPLET_ACCURACY

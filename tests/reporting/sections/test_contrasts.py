"""Tables, records and matrices of the differences between models."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.metrics import METRICS
from simtool.analysis.report import Report, Settings
from simtool.reporting.exports import records, to_csv, to_json
from simtool.reporting.figure import section_bytes
from simtool.reporting.page.page import to_html
from simtool.reporting.sections.contrasts import CONTRASTS
from simtool.reporting.sections.matrix import Matrix, divided
from simtool.reporting.sections.subject import NOTHING
from simtool.tables.provenance import Provenance
from tests.scored import latent, model, observe, outcomes_of

COLUMNS = ("baseline_model", "baseline_distance", "estimate", "standard_error", "low", "high", "p", "p_adjusted")


def _report(models: int, baseline: str | None = None, compare: bool = True) -> Report:
    rng = np.random.default_rng(5)
    minds = latent(rng, 14)
    site = [str(at % 2) for at in range(140)]
    trials = observe(rng, minds, {"8-rank-2": 20, "2-choose-1": 120}, extra={"site": pa.array(site)})
    outcomes = [
        outcomes_of(f"model:{number}", "mse", trials, model(rng, minds, 0.3 + number)) for number in range(models)
    ]
    return build_report(outcomes, Settings(replicates=100, compare=compare, baseline=baseline, by=("site",)))


@pytest.fixture(scope="module")
def three() -> Report:
    return _report(3)


def _is_below(p_value: str, limit: float) -> bool:
    return p_value == "<.001" or float(p_value or 1) < limit


def test_few_differences_are_listed_with_their_family(three: Report) -> None:
    summary, pairs, *_ = CONTRASTS.sheets(three)
    assert (summary.in_terminal, pairs.in_terminal) == (False, True)
    assert pairs.title == "Triplet accuracy, all trials: differences"
    assert {frozenset((line[0], line[2])) for line in pairs.lines} == {
        frozenset((f"model:{one}", f"model:{other}")) for one, other in combinations(range(3), 2)
    }
    assert pairs.caption == "Holm's method adjusts the p values over the 3 tested differences of this table."


def test_many_differences_are_counted_in_the_terminal() -> None:
    report = _report(7)
    summary, pairs, *_ = CONTRASTS.sheets(report)
    assert (summary.in_terminal, pairs.in_terminal) == (True, False)
    assert len(pairs.lines) == 21
    found = [(line[0], line[2], line[4].startswith("+")) for line in pairs.lines if _is_below(line[7], 0.05)]
    for name, _, better, none, worse in summary.lines:
        wins = sum((one if positive else other) == name for one, other, positive in found)
        losses = sum((other if positive else one) == name for one, other, positive in found)
        assert (int(better), int(none), int(worse)) == (wins, 6 - wins - losses, losses)


def test_parts_by_a_column_have_differences_too(three: Report) -> None:
    titles = {sheet.title for sheet in CONTRASTS.sheets(three) if sheet.in_terminal}
    assert {f"Triplet accuracy, all trials, site={name}: differences" for name in "01"} <= titles


def test_records_name_both_models_the_stratum_and_the_metric(three: Report) -> None:
    found = [record for record in records(three) if record["metric"] == "difference"]
    assert {record["difference_of"] for record in found} == {"triplet_accuracy", "top_1", "ordered", "unordered"}
    assert {(record["by"], record["stratum"]) for record in found} == {
        (None, None),
        ("site", "site=0"),
        ("site", "site=1"),
    }
    first = found[0]
    accuracy = {(row.model, row.distance): row.estimate for row in three.rows if row.trial_type == "all"}
    gain = accuracy[first["model"], first["distance"]] - accuracy[first["baseline_model"], first["baseline_distance"]]
    assert first["estimate"] == pytest.approx(gain)
    assert all(first[column] is not None for column in COLUMNS)
    assert first["scope"] == "new participants and new images that are drawn like these"
    assert "difference" in {record["metric"] for record in json.loads(to_json(three))}
    assert "difference_of" in to_csv(three).splitlines()[0]


def test_without_a_comparison_there_is_nothing() -> None:
    report = _report(2, compare=False)
    assert not CONTRASTS.sheets(report)
    assert not CONTRASTS.records(report)
    assert section_bytes(CONTRASTS, report, "svg") is None
    assert "baseline_model" not in records(report)[0]


def test_with_a_baseline_the_tables_of_accuracies_hold_the_differences_and_parts_have_their_own() -> None:
    report = _report(3, baseline="model:1:mse")
    assert [sheet.title for sheet in CONTRASTS.sheets(report)] == [
        f"Triplet accuracy, all trials, site={name}: differences from model:1 with mse" for name in "01"
    ]
    assert all("minus model" not in sheet.header for sheet in CONTRASTS.sheets(report))
    assert section_bytes(CONTRASTS, report, "svg") is None
    whole = [record for record in records(report) if record["metric"] == "triplet_accuracy"]
    assert [record["difference"] is None for record in whole[:3]] == [
        record["model"] == "model:1" for record in whole[:3]
    ]


@pytest.mark.parametrize("models", [3, 14])
def test_matrices_show_all_strata(models: int) -> None:
    drawing = section_bytes(CONTRASTS, _report(models), "svg")
    assert drawing is not None
    text = drawing.decode()
    for title in ("all trials", "8-rank-2", "2-choose-1", "site=0", "site=1"):
        assert f"Triplet accuracy, {title}" in text or f">{title}</text>" in text or f">{title}</tspan>" in text


def test_the_page_holds_every_difference(three: Report) -> None:
    page = to_html(three, Provenance.of(("simtool", "report"), []))
    assert page.count("differences</h2>") == 5
    assert "equal everywhere" not in page


def test_a_report_of_another_metric_compares_models_by_it() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    trials = observe(rng, minds, {"8-rank-2": 40})
    outcomes = [outcomes_of(name, "mse", trials, model(rng, minds, noise)) for name, noise in (("a", 0.3), ("b", 2))]
    report = build_report(outcomes, Settings(replicates=100, compare=True), [METRICS["top_1"]])
    shown = [sheet.title for sheet in CONTRASTS.sheets(report) if sheet.in_terminal]
    assert shown == ["First choice right, 8-rank-2: differences"]


def test_a_cell_of_a_matrix_is_the_difference_and_its_color_the_interval(three: Report) -> None:
    matrix = CONTRASTS.matrices(three)[0]
    assert matrix.distance == "mse"
    rows = {
        row.model: row for row in three.rows if row.trial_type == "all" and row.metric is METRICS["triplet_accuracy"]
    }
    order = matrix.names
    assert list(order) == list(rows)
    contrasts = {(row.model, each.model): each.difference for row in rows.values() for each in row.contrasts}
    for one, line in zip(order, matrix.lines, strict=True):
        for other, cell in zip(order, line, strict=True):
            if one == other:
                assert cell is None
                continue
            assert cell is not None
            gain = rows[one].estimate - rows[other].estimate
            assert float(cell.text) == pytest.approx(gain, abs=6e-4)
            found = contrasts.get((one, other)) or contrasts[other, one]
            assert found.low is not None
            assert found.high is not None
            assert bool(cell.shade) == (found.low > 0 or found.high < 0)
            assert np.sign(cell.shade) in (0, np.sign(gain))
            low, high = sorted(float(end) for end in re.findall(r"[+-]\.\d+", cell.detail))
            assert low <= gain <= high
    assert matrix.lines[0][2] is not None
    assert matrix.lines[0][2].shade > 0


def test_many_models_have_a_matrix_for_each_distance_with_the_models_of_no_distance_in_all() -> None:
    entries = [(name, distance) for name in "abcd" for distance in ("mse", "cosine")]
    entries += [("group labels", "same"), ("rdm", "given")]
    found = divided(entries)
    assert list(found) == ["mse", "cosine"]
    shared = [("group labels", "same"), ("rdm", "given")]
    assert found["cosine"] == [*((name, "cosine") for name in "abcd"), *shared]
    matrix = Matrix.of("M", NOTHING, "cosine", found["cosine"], {}, "")
    assert list(matrix.names) == ["a", "b", "c", "d", "group labels", "rdm, given"]
    assert divided(entries[:8]) == {None: entries[:8]}
    assert divided([(str(at), str(at)) for at in range(20)]).keys() == {None}

"""Strata in every view."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.analysis.building import build_report
from simtool.analysis.labels import LABELS, SAME
from simtool.analysis.report import Part, Report, Settings, Split
from simtool.reporting import exports, formatting
from simtool.reporting.look import PLAIN
from simtool.reporting.page import page as html
from simtool.reporting.sections.strata import STRATA, points
from simtool.tables.provenance import Provenance
from tests.analysis.test_labels import IMAGES, labelled
from tests.reporting.conftest import HOSTILE
from tests.scored import latent, model, observe, outcomes_of


def _report(by: tuple[str, ...] = (), names: tuple[str, ...] = ("good", "fair")) -> Report:
    rng = np.random.default_rng(0)
    minds = latent(rng, IMAGES)
    trials = labelled(observe(rng, minds, {"8-rank-2": 30, "2-choose-1": 60}, participants=3))
    outcomes = [outcomes_of(name, "mse", trials, model(rng, minds, 0.5)) for name in names]
    return build_report(outcomes, Settings(replicates=100, by=by))


@pytest.fixture(scope="module")
def report() -> Report:
    return _report(("participant",))


def test_labels_have_a_line_for_each_model_and_points_that_add_up(report: Report) -> None:
    accuracies, parts, _ = STRATA.sheets(report)
    assert list(accuracies.header) == ["model", "distance", "class", "group", "silent"]
    assert len(accuracies.lines) == len(parts.lines) == 5
    for split, line, own in zip(report.splits, accuracies.lines, parts.lines, strict=False):
        assert line[0] == own[0] == split.whole.model
        assert line[2].startswith(formatting.accuracy(split.parts[0].estimate, 3))
        total, *numbers = (round(100 * float(cell)) for cell in own[2:])
        assert total == sum(numbers) == round(1e4 * split.advantage)
    for row in report.splits[0].parts:
        assert f"({row.comparisons:,})" in str(accuracies.caption)


def test_a_column_has_a_line_for_each_model_and_value(report: Report) -> None:
    sheet = STRATA.sheets(report)[-1]
    assert sheet.title == "Triplet accuracy by participant, all trials"
    assert [line[2] for line in sheet.lines[:3]] == ["person-0", "person-1", "person-2"]
    assert len(sheet.lines) == 5 * 3


ROW = _report().rows[0]


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=8))
def test_rounded_points_add_up_and_are_within_one_unit(parts: list[tuple[int, float]]) -> None:
    row, count = ROW, sum(size for size, _ in parts)
    rows = tuple(
        replace(row, estimate=mean, part=Part(LABELS, str(at), size / count)) for at, (size, mean) in enumerate(parts)
    )
    whole = replace(row, estimate=sum(size * mean for size, mean in parts) / count)
    split = Split(LABELS, whole, rows)
    total, own = points(split)
    assert round(100 * total) == sum(round(100 * each) for each in own)
    assert total == pytest.approx(100 * split.advantage, abs=0.0051)
    for shown, exact in zip(own, split.advantages, strict=True):
        assert abs(shown - 100 * exact) < 0.0101


def test_records_are_those_of_accuracies_with_a_stratum(report: Report) -> None:
    found = json.loads(exports.to_json(report))
    whole = [each for each in found if each["stratum"] is None and each["metric"] == "triplet_accuracy"]
    parts = [each for each in found if each["stratum"] is not None]
    assert {each["stratum"] for each in parts} == {
        *("class", "group", "silent"),
        *("participant=person-0", "participant=person-1", "participant=person-2"),
    }
    for each in whole:
        own = [one for one in parts if (one["model"], one["trial_type"]) == (each["model"], each["trial_type"])]
        assert all(one["metric"] == "triplet_accuracy" and one["chance"] == 0.5 for one in own)
        if each["trial_type"] == "all":
            labels = [one for one in own if "=" not in one["stratum"]]
            assert sum(one["share"] for one in labels) == pytest.approx(1)
            assert sum(one["advantage"] for one in labels) == pytest.approx(each["estimate"] - 0.5)


def test_a_report_without_labels_shows_no_strata(simulated: Report) -> None:
    assert STRATA.sheets(simulated) == []
    assert STRATA.draw is not None
    assert STRATA.draw(simulated, PLAIN) is None


def test_the_page_draws_the_strata_and_hostile_names_act_nowhere() -> None:
    page = html.to_html(_report(("participant",), HOSTILE), Provenance.of(("report",), []))
    assert 'aria-label="Triplet accuracy by the labels of the images' in page
    assert page.count("<script") == 1, "that of the page"


def test_labels_that_cannot_be_used_are_noted(report: Report) -> None:
    assert "no strata by labels: why." in " ".join(formatting.notes(replace(report, unlabelled="why")))


def test_an_accuracy_that_no_choice_can_change_has_no_interval(report: Report) -> None:
    cells = [cell for line in STRATA.sheets(report)[0].lines for cell in line[2:]]
    assert ".500 (fixed)" in cells
    silent = [each for each in exports.records(report) if each["stratum"] == "silent" and each["distance"] == SAME]
    assert {(each["estimate"], each["low"], each["high"]) for each in silent} == {(0.5, 0.5, 0.5)}
    assert "Fixed: all comparisons are tied" in str(STRATA.sheets(report)[0].caption)
    assert not any("tied" in note for note in formatting.notes(report)), "no row of accuracies is fixed"


def test_a_part_without_weight_is_no_part() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, IMAGES)
    extra = {"condition": pa.array(["a", "b", "c"] * 20)}
    trials = observe(rng, minds, {"2-choose-1": 60}, weight=np.tile([0, 1, 2], 20).astype(np.float32), extra=extra)
    scored = [outcomes_of("good", "mse", trials, model(rng, minds, 0.5))]
    (split,) = build_report(scored, Settings(replicates=100, weighted=True, by=("condition",))).splits
    assert [row.part.name for row in split.parts if row.part] == ["condition=b", "condition=c"]
    assert sum(points(split)[1]) == pytest.approx(points(split)[0])

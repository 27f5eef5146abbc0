"""Difficulty in every view."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.difficulty import Ratio
from simtool.analysis.report import Report, Settings
from simtool.reporting import exports, figure
from simtool.reporting.look import PLAIN
from simtool.reporting.sections.difficulty import DIFFICULTY
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from tests.scored import latent, model, observe, outcomes_of


def _report(counts: dict[str, int], who: list[str] | None = None) -> Report:
    rng = np.random.default_rng(0)
    minds = latent(rng, 15)
    trials = observe(rng, minds, counts, 0, participant=who)
    space = EmbeddingTable.of([str(name) for name in trials.images], minds, EmbeddingInfo("minds", minds.shape[1]))
    outcomes = [
        outcomes_of(name, "mse", trials, model(rng, minds, noise)) for name, noise in (("fair", 2), ("good", 0.3))
    ]
    return build_report(outcomes, Settings(replicates=100), measures=[Ratio(space)])


@pytest.fixture(scope="module")
def report() -> Report:
    return _report({"8-rank-2": 40, "2-choose-1": 200}, ["a", "b"] * 20 + ["c", "d"] * 100)


def test_types_are_compared_in_the_terminal_and_curves_are_in_files(report: Report) -> None:
    gaps, curves = DIFFICULTY.sheets(report)
    assert gaps.title == "8-rank-2 minus 2-choose-1 at equal difficulty (distance ratio in minds)"
    assert [line[0] for line in gaps.lines] == ["good", "fair"]
    assert (gaps.in_terminal, curves.in_terminal) == (True, False)
    assert {line[2] for line in curves.lines} == {"8-rank-2", "2-choose-1"}
    assert {line[3] for line in curves.lines} >= {"all", "all, equal", report.difficulties[0].grades[0]}


def test_a_warning_says_if_nobody_judged_both_types(report: Report) -> None:
    caption = str(DIFFICULTY.sheets(report)[0].caption)
    assert "Warning: no participant judged both types (2 judged 8-rank-2, 2 judged 2-choose-1)" in caption
    both = _report({"8-rank-2": 40, "2-choose-1": 200}, ["a", "b"] * 20 + ["b", "c"] * 100)
    assert "1 of 3 participants judged both types." in str(DIFFICULTY.sheets(both)[0].caption)
    nobody = _report({"8-rank-2": 40, "2-choose-1": 200})
    assert "do not name participants or sessions" in str(DIFFICULTY.sheets(nobody)[0].caption)


def test_one_type_has_curves_in_the_terminal() -> None:
    (curves,) = DIFFICULTY.sheets(_report({"2-choose-1": 200}))
    assert curves.in_terminal


def test_records_hold_curves_and_differences(report: Report) -> None:
    found = json.loads(exports.to_json(report))
    curves = [each for each in found if each["metric"] == "triplet_accuracy_by_difficulty"]
    gaps = [each for each in found if each["metric"] == "difference_of_types"]
    assert {each["difficulty"] for each in curves} == {"distance ratio in minds"}
    assert len(curves) == 2 * 2 * (len(report.difficulties[0].grades) + 2)
    assert [(each["trial_type"], each["other_trial_type"], each["stratum"]) for each in gaps] == [
        ("8-rank-2", "2-choose-1", stratum) for _ in range(2) for stratum in (None, "equal")
    ]
    assert all(each["low"] <= each["estimate"] <= each["high"] for each in [*curves, *gaps])


def test_equal_numbers_give_equal_figures(report: Report) -> None:
    one, other = (figure.section_bytes(DIFFICULTY, report, "svg") for _ in range(2))
    assert one is not None
    assert one == other


def test_models_on_different_trials_have_their_own_panels(report: Report) -> None:
    (found,) = report.difficulties
    other = replace(found, curves=tuple(replace(curve, model=f"other {curve.model}") for curve in found.curves))
    rows = (*report.rows, *(replace(row, model=f"other {row.model}") for row in report.rows))
    drawn = DIFFICULTY.draw(replace(report, rows=rows, difficulties=(found, other)), PLAIN) if DIFFICULTY.draw else None
    assert drawn is not None
    titles = [panel.get_title() for panel in drawn.axes]
    assert titles == ["good mse", "fair mse", "other good mse", "other fair mse"]
    assert all(panel.get_lines() for panel in drawn.axes)


def test_the_axes_of_the_figure_say_what_they_show(report: Report) -> None:
    assert DIFFICULTY.draw is not None
    drawn = DIFFICULTY.draw(report, PLAIN)
    assert drawn is not None
    for part in drawn.subfigs:
        assert part.get_supylabel() == "triplet accuracy"
        assert part.get_supxlabel().startswith("difficulty (")
        assert not part.get_suptitle()

"""The noise ceiling in every view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from simtool.analysis.noise_ceiling import NoiseCeiling
from simtool.analysis.report import Report
from simtool.reporting import figure, formatting
from simtool.reporting.look import PLAIN
from simtool.reporting.sections.noise_ceiling import NOISE_CEILING
from tests.reporting.conftest import HOSTILE


@pytest.fixture(scope="module")
def firm(report: Report) -> NoiseCeiling:
    """The noise ceiling of 2-choose-1; 8-rank-2 has too few repeated judgments."""
    few, firm = report.noise_ceilings
    assert (few.trial_type, few.agreement, firm.trial_type) == ("8-rank-2", None, "2-choose-1")
    return firm


def test_the_table_holds_people_the_best_model_and_each_model_on_the_same_judgments(
    report: Report, firm: NoiseCeiling
) -> None:
    (sheet,) = NOISE_CEILING.sheets(report)
    assert not sheet.in_terminal
    assert f"{firm.judgments:,} judgments of {firm.repeated:,} comparisons" in sheet.title
    assert firm.agreement is not None
    assert firm.bracket is not None
    people, best, limits, *models = sheet.lines
    assert people[2:4] == [formatting.accuracy(firm.agreement.estimate), formatting.interval(firm.agreement)]
    assert best[0] == "(best model, estimated)"
    assert limits[2] == "–".join(formatting.accuracy(end, 3) for end in firm.bracket)
    assert {tuple(line[:2]) for line in models} == {(each.model, each.distance) for each in firm.reached}
    assert [line[2] for line in models] == sorted((line[2] for line in models), reverse=True)
    assert {len(line) for line in sheet.lines} == {len(sheet.header)}


def test_the_files_hold_a_record_of_each_noise_ceiling_and_of_each_model(report: Report, firm: NoiseCeiling) -> None:
    few, *others = NOISE_CEILING.records(report)
    assert (few["agreement"], few["low"], few["high"], few["point"]) == (None, None, None, None)
    assert few["judgments"] < 1000
    people, *models = others
    assert people["metric"] == "noise_ceiling"
    assert "model" not in people
    assert (people["low"], people["high"]) == firm.bracket
    assert people["agreement_low"] < people["agreement"] < people["agreement_high"]
    assert people["agreement"] <= people["point"] <= people["high"]
    assert [(each["model"], each["distance"]) for each in models] == [(one.model, one.distance) for one in firm.reached]
    for record, reach in zip(models, firm.reached, strict=True):
        assert record["metric"] == "noise_ceiling_share"
        assert reach.share is not None
        assert (record["low"], record["estimate"], record["high"]) == (
            reach.share.low,
            reach.share.estimate,
            reach.share.high,
        )
        assert record["repeated_accuracy"] == reach.accuracy.estimate


def test_a_table_without_a_share_has_the_same_columns(report: Report, firm: NoiseCeiling) -> None:
    without = replace(firm, reached=tuple(replace(each, share=None) for each in firm.reached))
    (sheet,) = NOISE_CEILING.sheets(replace(report, noise_ceilings=(without,)))
    assert {len(line) for line in sheet.lines} == {len(sheet.header)}
    record = NOISE_CEILING.records(replace(report, noise_ceilings=(without,)))[1]
    assert (record["estimate"], record["low"], record["high"]) == (None, None, None)


def test_the_figure_has_a_panel_for_each_noise_ceiling_of_enough_data(report: Report, firm: NoiseCeiling) -> None:
    assert NOISE_CEILING.draw is not None
    with figure.styled():
        drawn = NOISE_CEILING.draw(report, PLAIN)
        none = NOISE_CEILING.draw(replace(report, noise_ceilings=report.noise_ceilings[:1]), PLAIN)
    assert none is None
    assert isinstance(drawn, Figure)
    (panel,) = drawn.axes
    assert len(panel.get_yticks()) == len(firm.reached)
    points = [float(np.ravel(line.get_xdata())[0]) for line in panel.lines if line.get_marker() == "o"]
    assert points == pytest.approx([each.accuracy.estimate for each in firm.reached])
    assert figure.section_bytes(NOISE_CEILING, report, "svg") == figure.section_bytes(NOISE_CEILING, report, "svg")


def test_the_caption_tells_limits_estimate_and_the_model_that_gets_farthest(report: Report, firm: NoiseCeiling) -> None:
    blocks = {(block.trial_type, block.metric): block for block in report.blocks()}
    caption = formatting.block_caption(blocks["2-choose-1", firm.metric], report.settings.level)
    assert caption is not None
    assert firm.bracket is not None
    assert "the beta-binomial estimate is" in caption
    assert " to ".join(formatting.accuracy(end, 3) for end in firm.bracket) in caption
    first = max(firm.reached, key=lambda each: each.accuracy.estimate)
    assert f"{first.model} with {first.distance} is right in" in caption
    few = formatting.block_caption(blocks["8-rank-2", firm.metric], report.settings.level)
    assert few is not None
    assert few.startswith("No noise ceiling: several people judged")
    assert formatting.block_caption(blocks["all", firm.metric], report.settings.level) is None


def test_hostile_names_are_escaped(report: Report, firm: NoiseCeiling) -> None:
    reached = tuple(replace(firm.reached[0], model=name) for name in HOSTILE)
    hostile = replace(report, noise_ceilings=(replace(firm, reached=reached),))
    (sheet,) = NOISE_CEILING.sheets(hostile)
    assert not any("\x1b" in cell or "\n" in cell for line in sheet.lines for cell in line)
    assert figure.section_bytes(NOISE_CEILING, hostile, "png")

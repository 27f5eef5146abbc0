"""The accuracies of participants in every view."""

from __future__ import annotations

import numpy as np

from simtool.analysis.building import build_report
from simtool.analysis.report import Report, Settings
from simtool.reporting import exports, figure, formatting
from simtool.reporting.sections.participants import PARTICIPANTS
from tests.scored import latent, model, observe, outcomes_of


def test_each_type_has_a_table_for_files_in_the_order_of_the_report(report: Report) -> None:
    sheets = PARTICIPANTS.sheets(report)
    assert [sheet.title for sheet in sheets] == [
        "Triplet accuracy for each participant, 8-rank-2: 8 participants",
        "Triplet accuracy for each participant, 2-choose-1: 8 participants",
    ]
    assert not any(sheet.in_terminal for sheet in sheets)
    order = [(formatting.name(row.model), row.distance) for row in next(report.blocks()).rows]
    assert [tuple(line[:2]) for line in sheets[0].lines] == order
    first = next(each for each in report.spreads if each.people.trial_type == "8-rank-2" and _key(each) == order[0])
    line = sheets[0].lines[0]
    assert line[2:4] == [first.people.names[first.worst], first.people.names[first.best]]
    assert line[4] == formatting.accuracy(min(first.accuracies), 3)
    assert line[8] == formatting.accuracy(max(first.accuracies), 3)


def _key(spread: object) -> tuple[str, str]:
    return formatting.name(getattr(spread, "model", "")), getattr(spread, "distance", "")


def test_a_record_names_the_worst_and_the_best(report: Report) -> None:
    records = [each for each in exports.records(report) if each["metric"] == "triplet_accuracy_by_participant"]
    assert len(records) == len(report.spreads) == 16
    for each in records:
        numbers = [each[name] for name in ("worst", "lower_quartile", "median", "upper_quartile", "best")]
        assert numbers == sorted(numbers)
        assert each["participants"] == 8
        assert {each["worst_participant"], each["best_participant"]} <= set(report.spreads[0].people.names)


def test_participants_with_few_comparisons_are_mentioned() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    who = ["a"] * 30 + ["b"] * 30 + ["c"] * 3
    trials = observe(rng, minds, {"2-choose-1": 63}, participant=who)
    report = build_report([outcomes_of("m", "mse", trials, model(rng, minds, 1))], Settings(replicates=100))
    (sheet,) = PARTICIPANTS.sheets(report)
    assert "1 with fewer than 20 comparisons are left out." in str(sheet.caption)


def test_equal_numbers_give_equal_figures(report: Report) -> None:
    one, other = (figure.section_bytes(PARTICIPANTS, report, "svg") for _ in range(2))
    assert one is not None
    assert one == other


def test_models_can_differ_in_their_participants() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    scored = []
    for who, count, names in (("one", 5, ["a"]), ("other", 3, ["a", "b"])):
        trials = observe(rng, minds, {"8-rank-2": 60}, count, who)
        scored += [outcomes_of(name, "mse", trials, model(rng, minds, 1)) for name in names]
    report = build_report(scored, Settings(replicates=100))
    (sheet,) = PARTICIPANTS.sheets(report)
    assert sheet.title.endswith("8-rank-2: 3 to 8 participants")
    drawing = figure.section_bytes(PARTICIPANTS, report, "svg")
    assert drawing is not None
    assert b"3 to 8 participants" in drawing

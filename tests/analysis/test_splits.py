"""An accuracy divides into parts of the data that add up to its advantage over chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.labels import CLASS, GROUP, LABELS, SILENT, label_strata
from simtool.analysis.report import Report, ReportError, Settings, Split
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes
from tests.analysis.test_labels import IMAGES, labelled
from tests.scored import latent, model, observe, outcomes_of

FEW = Settings(replicates=100)
RNG = np.random.default_rng(0)
MINDS = latent(RNG, IMAGES)
COUNT = 90
PLAIN = observe(RNG, MINDS, {"8-rank-2": 30, "2-choose-1": 60}, weight=RNG.uniform(1, 3, COUNT))
TRIALS = labelled(PLAIN)


def scored(*names: str) -> list[Outcomes]:
    return [outcomes_of(name, "mse", TRIALS, model(RNG, MINDS, 0.5)) for name in names]


MODELS = scored("good", "other")


def splits(report: Report, by: str) -> dict[str, Split]:
    return {split.whole.model: split for split in report.splits if split.by == by}


@pytest.mark.parametrize("weighted", [False, True])
def test_the_advantage_over_chance_is_the_sum_of_its_parts(weighted: bool) -> None:
    report = build_report(MODELS, replace(FEW, weighted=weighted, by=("participant",)))
    assert {split.by for split in report.splits} == {LABELS, "participant"}
    for split in report.splits:
        assert split.advantage == split.whole.estimate - 0.5
        assert sum(split.advantages) == pytest.approx(split.advantage, abs=1e-15)
        assert sum(row.part.share for row in split.parts if row.part) == pytest.approx(1, abs=1e-15)
        assert sum(row.comparisons for row in split.parts) == split.whole.comparisons
        assert all(row.low <= row.estimate <= row.high for row in split.parts)


def test_a_part_is_the_mean_credit_of_its_comparisons() -> None:
    study = Study(TRIALS)
    assert study.labels is not None
    masks = {stratum.name: stratum.mask for stratum in label_strata(study.labels)}
    found = splits(build_report(MODELS, FEW), LABELS)
    for outcomes in MODELS:
        credit = outcomes.credit.astype(float)
        for row in found[outcomes.model].parts:
            assert row.part is not None
            assert row.estimate == pytest.approx(credit[masks[row.part.name]].mean())
            assert row.part.share == pytest.approx(masks[row.part.name].mean())
            assert row.ties == (credit[masks[row.part.name]] == 0.5).sum()


def test_labels_know_everything_that_they_tell_and_nothing_else() -> None:
    report = build_report(MODELS, FEW)
    found = splits(report, LABELS)
    assert set(found) == {"good", "other", "class labels", "group labels", "class and group labels"}
    both = {row.part.name: row.estimate for row in found["class and group labels"].parts if row.part}
    alone = [
        {row.part.name: row.estimate for row in found[f"{name} labels"].parts if row.part} for name in (CLASS, GROUP)
    ]
    assert both == {CLASS: alone[0][CLASS], GROUP: alone[1][GROUP], SILENT: 0.5}
    assert alone[0][GROUP] == alone[0][SILENT] == alone[1][SILENT] == 0.5


def test_the_rows_of_the_models_are_those_without_labels() -> None:
    plain = [replace(outcomes, trials=PLAIN) for outcomes in MODELS]
    before = {(row.model, row.trial_type, row.metric): row for row in build_report(plain, FEW).rows}
    after = {(row.model, row.trial_type, row.metric): row for row in build_report(MODELS, FEW).rows}
    assert {key: after[key] for key in before} == before
    assert {key[0] for key in after} - {key[0] for key in before} == {
        "class labels",
        "group labels",
        "class and group labels",
    }
    assert build_report(plain, FEW).splits == ()


def test_a_baseline_can_be_a_model_that_knows_labels_only() -> None:
    report = build_report(MODELS, replace(FEW, baseline="class labels"))
    assert any(row.model == "class labels" for row in report.rows)
    with pytest.raises(ReportError, match="group labels"):
        build_report(MODELS, replace(FEW, baseline="labels"))


def test_strata_divide_the_trials_of_one_type() -> None:
    report = build_report(MODELS, replace(FEW, trial_type="8-rank-2")).of_type("8-rank-2")
    assert {split.whole.trial_type for split in report.splits} == {"8-rank-2"}
    assert all(sum(row.comparisons for row in split.parts) == 30 * 13 for split in report.splits)
    assert build_report(MODELS, FEW).of_type("8-rank-2").splits == ()


def test_pooled_tables_keep_the_columns_of_their_trials() -> None:
    parts = [np.arange(0, COUNT, 2), np.arange(1, COUNT, 2)]
    shown = [TRIALS.take(part) for part in parts]
    pairs = list(zip(parts, shown, strict=True))
    halves = [replace(outcomes.take(part), trials=own) for part, own in pairs for outcomes in MODELS]
    whole, pooled = (splits(build_report(some, FEW), LABELS) for some in (MODELS, halves))
    assert list(whole) == list(pooled)
    for name, split in whole.items():
        assert [row.estimate for row in pooled[name].parts] == pytest.approx([row.estimate for row in split.parts])


def test_models_on_different_trials_have_strata_and_no_oracles() -> None:
    first, second = MODELS[0].take(np.arange(40)), MODELS[1].take(np.arange(40, COUNT))
    report = build_report([first, second], FEW)
    assert {split.whole.model for split in report.splits} == {"good", "other"}

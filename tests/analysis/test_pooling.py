"""A model that was scored on several experiments has one row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simtool.analysis.building import build_report, pools
from simtool.analysis.metrics import METRICS, TRIPLET_ACCURACY, Metric
from simtool.analysis.report import Report, Row, Settings
from simtool.reporting import formatting
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of

FEW = Settings(replicates=100)
RNG = np.random.default_rng(0)
MINDS = latent(RNG, 15)
MODELS = {name: model(RNG, MINDS, noise) for name, noise in (("good", 0.3), ("fair", 1.0))}


def _experiment(seed: int, pairs: int, ranked: int = 0, who: str = "person") -> Trials:
    return observe(np.random.default_rng(seed), MINDS, {"8-rank-2": ranked, "2-choose-1": pairs}, 6, who)


def _scored(trials: Trials, *names: str) -> list[Outcomes]:
    return [outcomes_of(name, "mse", trials, MODELS[name]) for name in names or MODELS]


def _rows(report: Report, name: str) -> dict[tuple[str, Metric], Row]:
    return {(row.trial_type, row.metric): row for row in report.rows if row.model == name}


def test_the_trials_of_two_experiments_count_as_one_set() -> None:
    first, second = _experiment(1, 30, ranked=10), _experiment(2, 40, who="other")
    report = build_report([*_scored(first), *_scored(second)], FEW)
    assert len(report.samples) == 1
    for name in MODELS:
        credit = [_scored(trials, name)[0].credit for trials in (first, second)]
        (row,) = (row for row in report.rows if (row.model, row.trial_type) == (name, "all"))
        assert row.estimate == pytest.approx(np.concatenate(credit).mean())
        assert (row.trials, row.comparisons) == (80, 200)
        assert _rows(report, name)["2-choose-1", METRICS["top_1"]].trials == 70
        assert _rows(report, name)["8-rank-2", METRICS["ordered"]].trials == 10


def test_odd_one_out_judgments_pool_with_choices() -> None:
    odd = observe(np.random.default_rng(4), MINDS, {"3-odd-1": 50}, 6)
    report = build_report([*_scored(_experiment(1, 30)), *_scored(odd)], FEW)
    rows = _rows(report, "good")
    counts = {trial_type: rows[trial_type, TRIPLET_ACCURACY].comparisons for trial_type in report.trial_types}
    assert counts == {"all": 130, "2-choose-1": 30, "3-odd-1": 100}
    alone = _rows(build_report(_scored(odd), FEW), "good")
    for metric in (TRIPLET_ACCURACY, METRICS["odd_one_out"]):
        mine, theirs = rows["3-odd-1", metric], alone["3-odd-1", metric]
        assert (mine.estimate, mine.trials, mine.chance) == (theirs.estimate, 50, theirs.chance)


def test_the_parts_of_one_table_pool_to_the_whole() -> None:
    whole = _experiment(3, 30, ranked=10)
    cuts = [np.arange(0, 40, 3), np.setdiff1d(np.arange(40), np.arange(0, 40, 3))]
    parts = [outcomes for cut in cuts for outcomes in _scored(whole.take(cut))]
    pooled, straight = build_report(parts, FEW), build_report(_scored(whole), FEW)
    for name in MODELS:
        for key, row in _rows(straight, name).items():
            other = _rows(pooled, name)[key]
            assert (other.estimate, other.low, other.high) == pytest.approx((row.estimate, row.low, row.high))
            assert (other.trials, other.comparisons, other.ties) == (row.trials, row.comparisons, row.ties)
            assert replace(other.sample, sets=1) == row.sample


@pytest.mark.parametrize(("who", "people"), [("person", 6), ("other", 12)])
def test_the_same_name_is_one_person_in_all_experiments(who: str, people: int) -> None:
    first, second = _experiment(1, 60), _experiment(2, 60, who=who)
    (sample,) = build_report([*_scored(first), *_scored(second)], FEW).samples
    assert (sample.cluster_count, sample.sets, sample.trials) == (people, 2, 120)


def test_a_model_on_one_of_the_experiments_has_separate_rows_and_a_note() -> None:
    first, second = _experiment(1, 30), _experiment(2, 40)
    report = build_report([*_scored(first), *_scored(second, "good")], replace(FEW, baseline="fair"))
    assert _rows(report, "good")["2-choose-1", TRIPLET_ACCURACY].trials == 70
    assert _rows(report, "fair")["2-choose-1", TRIPLET_ACCURACY].trials == 30
    assert all(row.difference is None for row in report.rows)
    notes = " ".join(formatting.notes(report))
    assert "not scored on the same trials" not in notes
    assert "Not all models were scored on the same trials" in notes
    assert "--name" in notes
    assert "Without a difference from fair" in notes
    assert "good with mse" in notes


def test_experiments_in_another_order_are_the_same_pool() -> None:
    first, second = _experiment(1, 10), _experiment(2, 20)
    (pool,) = pools(
        [*_scored(first, "good"), *_scored(second, "fair"), *_scored(second, "good"), *_scored(first, "fair")]
    )
    assert [each.model for each in pool.outcomes] == ["good", "fair"]
    assert len({id(each.trials) for each in pool.outcomes}) == 1
    assert len(pool.outcomes[0].trials) == 30


def test_a_note_counts_judgments_that_several_tables_contain() -> None:
    whole = _experiment(1, 30)
    first, second = whole.take(np.arange(20)), whole.take(np.arange(15, 30))
    report = build_report([*_scored(first, "good"), *_scored(second, "good")], FEW)
    assert report.shared == 5
    assert formatting.notes(report)[0].startswith("5 judgments (the same person, images and choice) are in several")

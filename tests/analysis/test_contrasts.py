"""Differences between any two models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simtool.analysis.building import build_report
from simtool.analysis.contrasts import Contrast, contrasts
from simtool.analysis.inference.intervals import Difference, Estimates
from simtool.analysis.inference.multiway import Covariance
from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.report import Report, Row, Settings
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of

ALL_PAIRS = Settings(replicates=100, compare=True)
RNG = np.random.default_rng(4)
MINDS = latent(RNG, 20)
TRIALS = observe(RNG, MINDS, {"8-rank-2": 30, "2-choose-1": 150})
GOOD, FAIR, POOR = (
    outcomes_of(name, "mse", TRIALS, model(RNG, MINDS, noise))
    for name, noise in (("good", 0.3), ("fair", 1.0), ("poor", 3.0))
)
TWIN = replace(FAIR, model="twin", distance="cosine")
MODELS = [POOR, FAIR, TWIN, GOOD]


def _rows(report: Report, stratum: str = "all") -> dict[str, Row]:
    return {row.model: row for row in report.rows if row.trial_type == stratum and row.metric is TRIPLET_ACCURACY}


def _by_pair(report: Report, stratum: str = "all") -> dict[tuple[str, str], Contrast]:
    return {(row.model, each.model): each for row in _rows(report, stratum).values() for each in row.contrasts}


def test_every_pair_is_compared_once_and_the_better_model_comes_first() -> None:
    found = _by_pair(build_report(MODELS, ALL_PAIRS))
    assert list(found) == [
        ("good", "fair"), ("good", "twin"), ("good", "poor"), ("fair", "twin"), ("fair", "poor"), ("twin", "poor"),
    ]  # fmt: skip
    assert all(each.difference.estimate >= 0 for each in found.values())
    assert found["good", "twin"].distance == "cosine"


def test_a_difference_equals_the_accuracy_of_the_differences_of_credit() -> None:
    """The standard error is that of the mean of a single column: the credit of one model minus that of the other."""
    report = build_report([GOOD, FAIR], ALL_PAIRS)
    for stratum in ("all", "8-rank-2", "2-choose-1"):
        ((_, found),) = _by_pair(report, stratum).items()
        halves = replace(GOOD, model="half", credit=np.float32(0.5) * (1 + GOOD.credit - FAIR.credit))
        row = _rows(build_report([halves], ALL_PAIRS), stratum)["half"]
        assert found.difference.estimate == pytest.approx(2 * row.estimate - 1, abs=1e-12)
        # Against chance, (1 + d) / 2 = 1/2 is d = 0: the same test.
        assert found.difference.p_value == pytest.approx(row.p_chance, rel=1e-6)


def test_identical_models_are_not_tested_and_do_not_count_in_the_family() -> None:
    report = build_report(MODELS, ALL_PAIRS)
    found = _by_pair(report)
    same = found["fair", "twin"]
    assert same.is_identical
    assert same.difference == Difference(0.0)
    assert {each.tested for each in found.values()} == {5}
    assert not any(each.is_identical for pair, each in found.items() if pair != ("fair", "twin"))


def test_models_can_be_identical_in_one_stratum_only() -> None:
    credit = FAIR.credit.copy()
    ranked = np.repeat(TRIALS.type_index == TRIALS.types.index(TRIALS.types[0]), TRIALS.implied)
    credit[ranked] = GOOD.credit[ranked]
    mixed = replace(FAIR, model="mixed", credit=credit)
    report = build_report([GOOD, mixed], ALL_PAIRS)
    same = {stratum: next(iter(_by_pair(report, stratum).values())).is_identical for stratum in report.trial_types}
    assert same == {"all": False, str(TRIALS.types[0]): True, str(TRIALS.types[1]): False}


def test_a_family_is_adjusted_by_holm() -> None:
    found = _by_pair(build_report(MODELS, ALL_PAIRS), "2-choose-1")
    tested = sorted(
        (each.difference.p_value, each.difference.p_holm)
        for each in found.values()
        if each.difference.p_value is not None and each.difference.p_holm is not None
    )
    running = 0.0
    for rank, (p_value, p_holm) in enumerate(tested):
        running = max(running, min(1.0, (len(tested) - rank) * p_value))
        assert p_holm == running


def test_a_baseline_with_a_distance_is_compared_with_other_distances() -> None:
    report = build_report(MODELS, replace(ALL_PAIRS, baseline="twin:cosine"))
    found = _by_pair(report)
    assert list(found) == [("good", "twin"), ("fair", "twin"), ("poor", "twin")]
    assert _rows(report)["good"].difference == found["good", "twin"].difference
    assert found["poor", "twin"].difference.estimate < 0
    assert _rows(report)["twin"].difference is None


def test_models_on_different_trials_are_not_compared() -> None:
    other = observe(np.random.default_rng(9), MINDS, {"2-choose-1": 40})
    away = outcomes_of("away", "mse", other, model(np.random.default_rng(9), MINDS, 1.0))
    assert set(_by_pair(build_report([GOOD, FAIR, away], ALL_PAIRS))) == {("good", "fair")}


def test_a_difference_has_students_interval_and_the_closed_form_error() -> None:
    """Var(a - b) = Var(a) + Var(b) - 2 Cov(a, b)."""
    matrix = np.array([[4.0, 1.0, 0.5], [1.0, 9.0, 2.0], [0.5, 2.0, 1.0]]) * 1e-4
    estimates = Estimates(np.array([0.7, 0.6, 0.55]), Covariance(matrix, 0 * matrix, 0 * matrix), np.ones((3, 2)), 20)
    pairs = [(0, 1), (0, 2), (2, 1)]
    found = contrasts(estimates, [("a", "x"), ("b", "x"), ("c", "y")], pairs, np.arange(3), 0.9)
    for (one, other), each in zip(pairs, found, strict=True):
        error = np.sqrt(matrix[one, one] + matrix[other, other] - 2 * matrix[one, other])
        gain = estimates.mean[one] - estimates.mean[other]
        assert each.difference.standard_error == pytest.approx(error)
        assert each.difference.p_value == pytest.approx(2 * stats.t.sf(abs(gain) / error, 19))
        ends = stats.t.interval(0.9, 19, gain, error)
        assert (each.difference.low, each.difference.high) == pytest.approx(ends)
    assert [(each.model, each.distance) for each in found] == [("b", "x"), ("c", "y"), ("b", "x")]


def test_chance_is_tested_by_students_t() -> None:
    rows = _rows(build_report(MODELS, ALL_PAIRS))
    assert rows["good"].p_chance is not None
    assert rows["good"].p_chance < 0.001
    tied = replace(GOOD, model="tied", credit=np.full_like(GOOD.credit, 0.5))
    assert _rows(build_report([tied], ALL_PAIRS))["tied"].p_chance is None


def _equal_models(rng: np.random.Generator) -> list[Outcomes]:
    """Two equally accurate models: effects of people, of images and of the model's own errors on images."""
    people, images, count = 15, 40, 400
    shown = np.argsort(rng.random((count, images)), axis=1)[:, :3]
    judge = rng.integers(0, people, count)
    trials = Trials.build(
        [f"i{number}" for number in range(images)], ["2-choose-1"] * count, shown[:, 0], shown[:, 1:],
        np.zeros((count, 1), int), participant=[f"p{number}" for number in judge],
    )  # fmt: skip
    shared = 0.4 + rng.normal(scale=0.4, size=people)[judge] + rng.normal(scale=0.3, size=images)[shown].sum(axis=1)
    found = []
    for name in ("a", "b"):
        own = rng.normal(scale=0.5, size=images)[shown].sum(axis=1)
        credit = (shared + own + rng.logistic(size=count) > 0).astype(np.float32)
        found.append(Outcomes(name, "mse", trials, credit))
    return found


@pytest.mark.slow
def test_equal_models_are_told_apart_as_often_as_the_level_allows() -> None:
    rng = np.random.default_rng(1)
    settings = Settings(replicates=100, compare=True)
    p_values = []
    for _ in range(400):
        report = build_report(_equal_models(rng), settings, [TRIPLET_ACCURACY])
        p_values += [each.difference.p_value for each in _by_pair(report).values()]
    false = np.mean([p_value is not None and p_value < 0.05 for p_value in p_values])
    assert 0.03 <= false <= 0.07

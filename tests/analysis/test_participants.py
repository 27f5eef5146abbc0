"""The distribution of a model's accuracies over participants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.inference.values import Values
from simtool.analysis.participants import Spread, spreads
from simtool.analysis.report import Settings
from simtool.judgments.comparisons import Comparisons
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of

RNG = np.random.default_rng(0)
MINDS = latent(RNG, 20)
MODEL = model(RNG, MINDS, 0.8)


def judged(counts: Mapping[str, int], participants: int = 6, **columns: Any) -> Trials:
    return observe(np.random.default_rng(1), MINDS, counts, participants, **columns)


def spreads_of(outcomes: list[Outcomes], weighted: bool = False, least: int = 20) -> list[Spread]:
    trials = outcomes[0].trials
    weight = trials.weight.astype(float) if weighted else None
    credit = Values.of([each.credit for each in outcomes])
    return list(spreads(trials, Comparisons.of(trials), outcomes, credit, weight, least))


@pytest.mark.parametrize("weighted", [False, True])
def test_each_participant_has_the_accuracy_on_their_own_trials_of_a_type(weighted: bool) -> None:
    trials = judged({"8-rank-2": 60, "2-choose-1": 240}, weight=RNG.integers(1, 4, 300).astype(float))
    scored = [outcomes_of(name, "mse", trials, model(RNG, MINDS, noise)) for name, noise in (("a", 0.5), ("b", 2.0))]
    found = spreads_of(scored, weighted)
    assert {(each.model, each.people.trial_type) for each in found} == {
        (name, kind) for name in "ab" for kind in ("8-rank-2", "2-choose-1")
    }
    for spread in found:
        outcomes = scored["ab".index(spread.model)]
        kind = next(each for each in trials.types if str(each) == spread.people.trial_type)
        rows, errors = trials.of_type(kind), []
        for at, name in enumerate(spread.people.names):
            own = rows[[trials.participant[int(row)] == name for row in rows]]
            weight = trials.weight[own].astype(float) if weighted else np.ones(own.size)
            means = outcomes.take(own).of_type(kind).mean(axis=1, dtype=float)
            mean = np.average(means, weights=weight)
            assert spread.accuracies[at] == pytest.approx(mean)
            assert spread.people.comparisons[at] == own.size * kind.comparisons
            influence = weight * (means - mean) / weight.sum()
            errors.append(own.size / (own.size - 1) * (influence**2).sum())
        assert spread.expected == pytest.approx(np.sqrt(np.mean(errors)))
        assert spread.deviation == pytest.approx(np.std(spread.accuracies, ddof=1))
        assert spread.accuracies[spread.worst] == min(spread.accuracies) == spread.quantiles(0)[0]
        assert spread.accuracies[spread.best] == max(spread.accuracies) == spread.quantiles(1)[0]


def test_the_expected_deviation_is_that_of_participants_who_are_alike() -> None:
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        minds = latent(rng, 20)
        trials = observe(rng, minds, {"2-choose-1": 3000}, 1, session=[f"s{at % 30}" for at in range(3000)])
        (spread,) = spreads_of([outcomes_of("a", "mse", trials, model(rng, minds, 0.8))])
        assert spread.people.called == "sessions"
        ratios.append(spread.deviation**2 / spread.expected**2)
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / np.sqrt(20))


def test_participants_who_differ_spread_more_than_expected() -> None:
    trials = judged({"2-choose-1": 1200}, 12)
    credit = np.where(trials.participant.code < 6, 1.0, RNG.integers(0, 2, 1200)).astype(np.float32)
    (spread,) = spreads_of([Outcomes("a", "mse", trials, credit)])
    assert spread.between == pytest.approx(np.sqrt(spread.deviation**2 - spread.expected**2))
    assert spread.between > 0.2


def test_participants_with_few_comparisons_are_counted_and_left_out() -> None:
    who = ["many"] * 30 + ["more"] * 40 + ["few"] * 5
    trials = judged({"2-choose-1": 75}, participant=who)
    (spread,) = spreads_of([outcomes_of("a", "mse", trials, MODEL)])
    assert spread.people.names == ("many", "more")
    assert (spread.people.comparisons, spread.people.left_out) == ((30, 40), 1)
    assert spreads_of([outcomes_of("a", "mse", trials, MODEL)], least=41) == []


def test_trials_that_name_nobody_belong_to_no_participant() -> None:
    trials = judged({"2-choose-1": 90}, participant=["a", "b", None] * 30)
    (spread,) = spreads_of([outcomes_of("m", "mse", trials, MODEL)])
    assert spread.people.names == ("a", "b")
    nobody = judged({"2-choose-1": 90}, 0)
    assert spreads_of([outcomes_of("m", "mse", nobody, MODEL)]) == []


def test_a_report_holds_the_types_that_it_is_about() -> None:
    trials = judged({"8-rank-2": 60, "2-choose-1": 240})
    report = build_report([outcomes_of("a", "mse", trials, MODEL)], Settings(replicates=100))
    assert {each.people.trial_type for each in report.spreads} == {"8-rank-2", "2-choose-1"}
    assert {each.people.trial_type for each in report.of_type("8-rank-2").spreads} == {"8-rank-2"}
    assert report.of_type("all").spreads == report.spreads

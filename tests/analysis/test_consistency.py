"""Error consistency of models, and of models with people."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from simtool.analysis.consistency import consistencies
from simtool.analysis.kappa import PEOPLE, Consistency, Kappa, Predictor
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of


def _trials(rng: np.random.Generator, **counts: int) -> Trials:
    return observe(rng, latent(rng, 12), {name.replace("_", "-").strip("-"): count for name, count in counts.items()})


def _scored(rng: np.random.Generator, trials: Trials, models: int) -> list[Outcomes]:
    """Models with any credit, ties too."""
    halves = rng.integers(0, 3, (models, trials.comparisons)).astype(np.float32) / 2
    return [Outcomes(f"model-{number}", "mse", trials, credit) for number, credit in enumerate(halves)]


def _between(found: list[Consistency], stratum: str = "2-choose-1") -> dict[tuple[str, str], Consistency]:
    return {
        (each.first.model, each.second.model): each
        for each in found
        if each.trial_type == stratum and each.second != PEOPLE
    }


def test_without_ties_it_is_cohens_kappa_of_being_right() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 14)
    trials = observe(rng, minds, {"8-rank-2": 60, "2-choose-1": 200})
    outcomes = [outcomes_of(str(noise), "mse", trials, model(rng, minds, noise)) for noise in (0.3, 1.0, 3.0)]
    found = list(consistencies(Study(trials), outcomes, 0.95))
    rows = {"8-rank-2": slice(0, 60 * 13), "2-choose-1": slice(60 * 13, None)}
    assert {each.trial_type for each in found} == set(rows)
    for stratum, rows_of in rows.items():
        pairs = _between(found, stratum)
        assert len(pairs) == 3
        for (one, two), each in pairs.items():
            first, second = (
                next(other.credit[rows_of] for other in outcomes if other.model == name) for name in (one, two)
            )
            assert not (np.abs(first - 0.5) < 0.5).any()
            assert each.kappa == pytest.approx(cohen_kappa_score(first, second))
            assert each.observed == pytest.approx(float((first == second).mean()))
            assert each.comparisons == len(first)


def test_ties_count_as_the_average_over_all_ways_to_break_them() -> None:
    trials = _trials(np.random.default_rng(1), _2_choose_1=6)
    first = np.array([0.5, 0.5, 1, 0, 1, 0], np.float32)
    second = np.array([0.5, 1, 0.5, 0, 1, 1], np.float32)
    outcomes = [Outcomes("a", "mse", trials, first), Outcomes("b", "mse", trials, second)]
    (found,) = _between(list(consistencies(Study(trials), outcomes, 0.95))).values()

    def broken(credit: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        tied = np.flatnonzero(credit == 0.5)
        ways = []
        for coins in product((0.0, 1.0), repeat=len(tied)):
            way = credit.astype(float)
            way[tied] = coins
            ways.append(way)
        return ways

    same = [np.mean(one == two) for one in broken(first) for two in broken(second)]
    assert found.observed == pytest.approx(np.mean(same))
    right = first.mean(), second.mean()
    assert found.expected == pytest.approx(right[0] * right[1] + (1 - right[0]) * (1 - right[1]))


def test_weights_count_as_repetitions_do() -> None:
    rng = np.random.default_rng(2)
    trials = _trials(rng, _2_choose_1=80)
    times = rng.integers(1, 4, len(trials))
    weighted = observe(np.random.default_rng(2), latent(np.random.default_rng(2), 12), {"2-choose-1": 80}, weight=times)
    outcomes = _scored(rng, weighted, 2)
    (found,) = _between(list(consistencies(Study(weighted, weighted=True), outcomes, 0.95))).values()
    first, second = (np.repeat(each.credit, times) for each in outcomes)
    expected = Kappa(
        float((first * second + (1 - first) * (1 - second)).mean()), float(first.mean()), float(second.mean())
    )
    assert found.kappa == pytest.approx(expected.value, abs=1e-6)


def test_models_that_are_always_right_have_no_error_consistency() -> None:
    trials = _trials(np.random.default_rng(3), _2_choose_1=30)
    perfect = [Outcomes(name, "mse", trials, np.ones(30, np.float32)) for name in "ab"]
    (found,) = _between(list(consistencies(Study(trials), perfect, 0.95))).values()
    assert (found.observed, found.expected, found.kappa, found.low) == (1, 1, None, None)


def test_the_gradient_is_the_derivative() -> None:
    point, step = np.array([0.7, 0.6, 0.8]), 1e-6
    for axis, slope in enumerate(Kappa(*point).gradient):
        above, below = (Kappa(*(point + side * step * np.eye(3)[axis])).value for side in (1, -1))
        assert above is not None
        assert below is not None
        assert slope == pytest.approx((above - below) / (2 * step), rel=1e-6)


def test_the_interval_holds_the_truth_of_simulated_models() -> None:
    """Two models err on hard comparisons together; people and images make comparisons hard."""
    rng = np.random.default_rng(4)
    draws, studies = [], 120
    for _ in range(studies):
        trials = observe(rng, latent(rng, 30), {"2-choose-1": 400}, participants=20)
        hard = rng.normal(0, 1, 30)[trials.references].sum(axis=1)
        outcomes = [
            Outcomes(name, "mse", trials, (0.8 + hard + rng.normal(0, 1, 400) > 0).astype(np.float32)) for name in "ab"
        ]
        (found,) = _between(list(consistencies(Study(trials), outcomes, 0.95))).values()
        draws.append((found.kappa, found.low, found.high))
    kappa, low, high = np.array(draws, float).T
    assert 0.9 <= np.mean((low <= kappa.mean()) & (kappa.mean() <= high)) <= 1
    assert np.median(high - low) < 4.5 * kappa.std()  # not wider than needed


def test_every_two_models_are_compared_once() -> None:
    rng = np.random.default_rng(5)
    trials = _trials(rng, _2_choose_1=50)
    outcomes = _scored(rng, trials, 5)
    found = list(_between(list(consistencies(Study(trials), outcomes, 0.95))))
    assert len(found) == len({frozenset(pair) for pair in found}) == 10
    assert Predictor("model-0", "mse") == Predictor(outcomes[0].model, outcomes[0].distance)


def _repeated(rng: np.random.Generator) -> Trials:
    """Six comparisons, each judged by several of eight people."""
    shown = np.array([[0, 1, 2], [3, 1, 2], [4, 0, 1], [2, 3, 4], [1, 0, 4], [0, 3, 4]])
    people = [rng.permutation(8)[: rng.integers(2, 7)] for _ in shown]
    display = np.repeat(np.arange(6), [len(some) for some in people])
    swapped = rng.random(display.size) < 0.5
    references = np.where(swapped[:, None], shown[display][:, :0:-1], shown[display][:, 1:])
    return Trials.build(
        list("abcde"),
        ["2-choose-1"] * display.size,
        shown[display, 0],
        references,
        rng.integers(0, 2, (display.size, 1)),
        participant=[f"person {number}" for number in np.concatenate(people)],
    )


def test_with_people_another_persons_choice_is_the_right_answer() -> None:
    rng = np.random.default_rng(6)
    trials = _repeated(rng)
    distances = rng.random((5, 5))
    scored = outcomes_of("m", "mse", trials, distances + distances.T)
    found = [each for each in consistencies(Study(trials), [scored], 0.95, enough=2) if each.second == PEOPLE]

    chosen = np.take_along_axis(trials.references, trials.selected.astype(int), axis=1)[:, 0]
    displays = [(query, *sorted(shown)) for query, shown in zip(trials.query, trials.references, strict=True)]
    # For each judgment as the right answer: the model against every other judgment of the display.
    both, model_right, person_right = [], [], []
    for answer, display in enumerate(displays):
        others = [other for other, shown in enumerate(displays) if shown == display and other != answer]
        right = [float(chosen[other] == chosen[answer]) for other in others]
        credit = float(scored.credit[answer])
        model_right.append(credit)
        person_right.append(np.mean(right))
        both.append(np.mean([credit * person + (1 - credit) * (1 - person) for person in right]))
    p, q = np.mean(model_right), np.mean(person_right)
    expected = p * q + (1 - p) * (1 - q)

    people, of_model = found
    assert of_model.first == Predictor("m", "mse")
    assert of_model.expected == pytest.approx(expected)
    assert of_model.comparisons == people.comparisons == len(trials)
    assert people.first == PEOPLE
    assert people.observed == pytest.approx(q)
    assert people.kappa == pytest.approx((q - (q * q + (1 - q) ** 2)) / (1 - (q * q + (1 - q) ** 2)))
    assert {each.trial_type for each in found} == {"2-choose-1"}
    # Both are right or both wrong if and only if they choose the same; over displays, the model agrees with a person
    # as often as with the person whose choice is the right answer.
    assert of_model.observed == pytest.approx(p)
    assert np.mean(both) == pytest.approx(p)


def test_few_repeated_judgments_give_no_error_consistency_with_people() -> None:
    trials = _repeated(np.random.default_rng(7))
    scored = outcomes_of("m", "mse", trials, np.random.default_rng(8).random((5, 5)))
    assert not [each for each in consistencies(Study(trials), [scored], 0.95) if each.second == PEOPLE]

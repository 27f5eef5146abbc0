"""The best model that knows only the images, and the agreement of people, which limits it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import beta

from simtool.analysis.noise_ceiling import best_accuracy, highest_accuracy

#: The probabilities of answers to comparisons, before they are divided by their sum.
PROBABILITIES = st.integers(2, 4).flatmap(
    lambda answers: st.lists(
        st.lists(st.floats(0.001, 1), min_size=answers, max_size=answers), min_size=1, max_size=20
    ).map(np.array)
)


@given(PROBABILITIES)
def test_the_best_model_is_within_the_limits_whatever_people_do(drawn: np.ndarray) -> None:
    probability = drawn / drawn.sum(axis=1, keepdims=True)
    agreement, best = (probability**2).sum(axis=1).mean(), probability.max(axis=1).mean()
    assert agreement <= best + 1e-12
    assert best <= highest_accuracy(agreement, probability.shape[1]) + 1e-12


@given(st.integers(2, 4), st.floats(0, 1))
def test_the_upper_limit_is_reached_if_all_comparisons_are_alike(answers: int, more: float) -> None:
    highest = (1 + more * (answers - 1)) / answers
    others = (1 - highest) / (answers - 1)
    agreement = highest**2 + (answers - 1) * others**2
    assert highest_accuracy(agreement, answers) == pytest.approx(highest, abs=1e-7)


def test_with_two_answers_the_limit_is_that_of_jensen() -> None:
    assert highest_accuracy(0.7109, 2) == pytest.approx(0.5 + np.sqrt((0.7109 - 0.5) / 2))


@pytest.mark.parametrize("alpha", [1e-4, 0.01, 0.3, 1.0, 2.5, 40.0, 5000.0])
def test_with_two_answers_the_estimate_is_the_closed_form_of_beta(alpha: float) -> None:
    agreement = (alpha + 1) / (2 * alpha + 1)
    expected = 0.5 + 4.0**-alpha / (alpha * beta(alpha, alpha)) if alpha < 100 else 0.5 + 0.5 / np.sqrt(np.pi * alpha)
    assert best_accuracy(agreement, 2) == pytest.approx(expected, rel=1e-10 if alpha < 100 else 1e-5)


@pytest.mark.parametrize("answers", [2, 3])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_the_estimate_is_the_mean_of_the_greatest_probability(answers: int, alpha: float) -> None:
    probability = np.random.default_rng(0).dirichlet([alpha] * answers, 200_000)
    agreement = (alpha + 1) / (answers * alpha + 1)
    assert (probability**2).sum(axis=1).mean() == pytest.approx(agreement, abs=0.002)
    assert best_accuracy(agreement, answers) == pytest.approx(probability.max(axis=1).mean(), abs=0.002)


@pytest.mark.parametrize("answers", [2, 3])
def test_the_estimate_is_between_the_limits_and_rises_with_agreement(answers: int) -> None:
    agreement = np.linspace(1 / answers, 1, 200)
    best = np.array([best_accuracy(value, answers) for value in agreement])
    assert (best[0], best[-1]) == (1 / answers, 1)
    assert (np.diff(best) > 0).all()
    assert (best >= agreement).all()
    assert all(low <= highest_accuracy(value, answers) for low, value in zip(best, agreement, strict=True))


@pytest.mark.parametrize("answers", [2, 3])
def test_people_who_agree_less_than_by_chance_leave_chance(answers: int) -> None:
    assert best_accuracy(0.2, answers) == highest_accuracy(0.2, answers) == 1 / answers

"""The entropy of choices, of a model and of people who judged each comparison a few times."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from simtool.analysis.entropy import entropy_of, expected_entropy, highest_entropy, lowest_entropy


def _agreement(p: float) -> float:
    return p * p + (1 - p) * (1 - p)


def test_the_entropy_of_a_model_is_scipys() -> None:
    p = np.array([0.5, 0.1, 0.999, 1e-12])
    assert entropy_of(p) == pytest.approx(stats.entropy([p, 1 - p]))
    assert entropy_of(np.array([0.0, 1.0])).tolist() == [0, 0]
    assert entropy_of(np.array(0.5)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("parameter", [0.05, 0.5, 1.0, 4.0, 50.0])
def test_the_estimate_is_the_mean_over_the_beta_distribution_with_the_same_agreement(parameter: float) -> None:
    density = stats.beta(parameter, parameter).pdf

    def mean(function: object) -> float:
        assert callable(function)
        found, _ = quad(lambda p: function(p) * density(p), 0, 0.5, limit=200)
        return 2 * float(found)

    expected = mean(lambda p: float(entropy_of(np.array(p))))
    assert expected_entropy(mean(_agreement)) == pytest.approx(expected, rel=1e-5)


@given(st.floats(0, 1))
def test_the_estimate_lies_within_the_limits(agreement: float) -> None:
    low, high = lowest_entropy(agreement), highest_entropy(agreement)
    assert -1e-12 <= low - 1e-12 <= expected_entropy(agreement) <= high + 1e-12
    assert high <= math.log(2) + 1e-12


@pytest.mark.parametrize("p", [0.5, 0.6, 0.8, 0.95, 1.0])
def test_the_limits_are_reached(p: float) -> None:
    assert highest_entropy(_agreement(p)) == pytest.approx(float(entropy_of(np.array(p))))  # all equally hard
    guessed = 1 - p  # a share of comparisons is guessed; people agree fully on the others
    assert lowest_entropy(guessed / 2 + (1 - guessed)) == pytest.approx(guessed * math.log(2))


def test_two_judgments_are_enough_for_the_estimate_and_not_for_the_entropy_of_shares() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(0.8, 0.8, 200_000)
    first = rng.binomial(2, p)
    of_shares = entropy_of(first / 2).mean()
    truth = entropy_of(p).mean()
    assert expected_entropy(float((first != 1).mean())) == pytest.approx(truth, abs=0.005)
    assert of_shares < truth - 0.12

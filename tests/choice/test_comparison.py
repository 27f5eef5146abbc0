"""Single comparisons follow the logistic function, as Luce's axiom asks."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.choice import log_probability_of_comparisons, rule_of
from simtool.designs import parse_type


def test_a_comparison_is_a_choice_among_two() -> None:
    logs = np.random.default_rng(0).normal(size=(50, 2))
    value, slope = log_probability_of_comparisons(logs[:, 1] - logs[:, 0])
    whole = rule_of(parse_type("2-choose-1")).likelihood(logs, np.ones((50, 1), np.int8))
    np.testing.assert_allclose(value, whole.value, rtol=1e-12)
    np.testing.assert_allclose(slope, whole.gradient[:, 1], rtol=1e-12)


@pytest.mark.parametrize(("difference", "value", "slope"), [(0.0, -np.log(2), 0.5), (800.0, 0, 0), (-800.0, -800, 1)])
def test_extreme_differences_lose_nothing(difference: float, value: float, slope: float) -> None:
    found = log_probability_of_comparisons(np.array([difference]))
    np.testing.assert_allclose([found.value[0], found.gradient[0]], [value, slope], atol=1e-300)


def test_the_axiom_of_luce_holds_within_larger_trials() -> None:
    """The ratio of two first choices does not depend on the other references."""
    logs = np.tile(np.random.default_rng(1).normal(size=8), (2, 1))
    first, second = rule_of(parse_type("8-rank-1")).log_probability(logs, np.array([[3], [5]]))
    value, _ = log_probability_of_comparisons(logs[:1, 3] - logs[:1, 5])
    np.testing.assert_allclose(value[0], first - np.logaddexp(first, second))

"""Intervals, tests of differences, and their corrections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.similarity.inference import Covariance, Estimates, holm, paired_p_value


def _estimates(means: list[float], errors: list[float], independent: int = 1000) -> Estimates:
    rng = np.random.default_rng(0)
    covariance = np.diag(np.square(errors))
    replicates = np.array(means)[:, None] + np.array(errors)[:, None] * 3 * rng.normal(size=(len(means), 20_000))
    return Estimates(np.array(means), Covariance(covariance, covariance, covariance), replicates, independent)


def test_replicates_give_the_shape_and_the_standard_error_the_width() -> None:
    interval = _estimates([0.7], [0.01]).interval(0, 0.95)
    assert interval.low == pytest.approx(0.7 - 1.96 * 0.01, abs=6e-4)
    assert interval.high == pytest.approx(0.7 + 1.96 * 0.01, abs=6e-4)


def test_few_people_make_an_interval_as_wide_as_students() -> None:
    usual, few = (_estimates([0.7], [0.01], count).interval(0, 0.95) for count in (10_000, 11))
    ratio = (few.high - few.low) / (usual.high - usual.low)
    assert ratio == pytest.approx(2.228 / 1.960, rel=0.01)


@pytest.mark.parametrize("mean", [0.0, 1.0, 0.5])
def test_where_nothing_varies_the_interval_is_wilsons(mean: float) -> None:
    still = Estimates(np.array([mean]), _estimates([0.5], [0.0]).covariance, np.full((1, 100), mean), 20)
    interval = still.interval(0, 0.95)
    # Wilson's interval of 20 right out of 20 begins at n / (n + z^2).
    low = {1.0: 20 / (20 + 1.96**2), 0.0: 0.0, 0.5: 0.2993}[mean]
    assert interval.low == pytest.approx(low, abs=1e-3)
    assert interval.high == pytest.approx(1 - {0.0: 20 / (20 + 1.96**2), 1.0: 0.0, 0.5: 0.2993}[mean], abs=1e-3)


@given(st.floats(0, 1), st.floats(0, 0.5), st.integers(1, 50), st.floats(0.5, 0.999))
def test_an_interval_holds_its_estimate_and_stays_within_0_and_1(
    mean: float, error: float, independent: int, level: float
) -> None:
    interval = _estimates([mean], [error], independent).interval(0, level)
    assert 0 <= interval.low <= mean <= interval.high <= 1


def test_a_difference_keeps_what_models_share_out_of_its_interval() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(scale=0.1, size=5000)
    own = rng.normal(scale=0.01, size=(2, 5000))
    covariance = np.full((2, 2), 0.01) + np.diag([1e-4, 1e-4])
    replicates = np.array([[0.7], [0.6]]) + shared + own
    both = Estimates(np.array([0.7, 0.6]), Covariance(covariance, covariance, covariance), replicates, 1000)
    interval = both.difference(0, 1, 0.95)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.sqrt(2e-4), rel=0.05)
    assert both.p_value(0, 1) < 1e-6
    assert both.p_value(1, 0) == both.p_value(0, 1)


def test_equal_models_differ_by_nothing() -> None:
    covariance = np.full((2, 2), 0.01)
    both = Estimates(np.array([0.7, 0.7]), Covariance(covariance, covariance, covariance), np.ones((2, 50)), 10)
    interval = both.difference(0, 1, 0.95)
    assert (interval.low, interval.high, both.p_value(0, 1)) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("t", "freedom"), [(2.776, 4), (2.228, 10), (2.000, 60), (1.960, 100_000)])
def test_p_values_are_students(t: float, freedom: int) -> None:
    assert paired_p_value(t, 1.0, freedom) == pytest.approx(0.05, abs=1e-3)


def test_a_tiny_p_value_is_not_zero() -> None:
    assert 0 < paired_p_value(20.0, 1.0, 500) < 1e-50


def test_holm_steps_down_and_never_passes_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []

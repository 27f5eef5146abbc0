"""Intervals, tests of differences, and their corrections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simtool.analysis.inference.intervals import Difference, Estimates, holm
from simtool.analysis.inference.multiway import Covariance


def _estimates(means: list[float], errors: list[float], effective_size: int = 1000) -> Estimates:
    rng = np.random.default_rng(0)
    covariance = np.diag(np.square(errors))
    replicates = np.array(means)[:, None] + np.array(errors)[:, None] * 3 * rng.normal(size=(len(means), 20_000))
    return Estimates(np.array(means), Covariance(covariance, covariance, covariance), replicates, effective_size)


def test_replicates_give_the_shape_and_the_standard_error_the_width() -> None:
    low, high = _estimates([0.7], [0.01]).interval(0, 0.95)
    assert low == pytest.approx(0.7 - 1.96 * 0.01, abs=6e-4)
    assert high == pytest.approx(0.7 + 1.96 * 0.01, abs=6e-4)


@pytest.mark.parametrize("clusters", [2, 3, 5, 11])
def test_few_people_make_an_interval_as_wide_as_students(clusters: int) -> None:
    usual, few = (_estimates([0.7], [0.001], count).interval(0, 0.95) for count in (10_000, clusters))
    ratio = (few[1] - few[0]) / (usual[1] - usual[0])
    assert ratio == pytest.approx(stats.t.ppf(0.975, clusters - 1) / stats.t.ppf(0.975, 9999), rel=1e-6)


@pytest.mark.parametrize(("clusters", "quantile"), [(2, 12.706), (3, 4.303), (5, 2.776), (31, 2.042)])
def test_a_differences_interval_is_students(clusters: int, quantile: float) -> None:
    interval = _estimates([0.7, 0.6], [0.003, 0.004], clusters).difference(0, 1, 0.95)
    assert interval.low is not None
    assert interval.high is not None
    assert (interval.low + interval.high) / 2 == pytest.approx(0.1)
    assert (interval.high - interval.low) / 2 == pytest.approx(quantile * 0.005, rel=1e-3)


@pytest.mark.parametrize("means", [[1.0, 0.0], [0.6, 0.6], [0.9, 0.5]])
@pytest.mark.parametrize(("error", "clusters"), [(0.0, 100), (0.1, 1), (0.1, 0)])
def test_without_an_error_or_with_a_single_cluster_there_is_no_interval_and_no_p_value(
    means: list[float], error: float, clusters: int
) -> None:
    estimates = _estimates(means, [error, error], clusters)
    assert estimates.difference(0, 1, 0.95) == Difference(means[0] - means[1])


def test_a_single_cluster_gives_a_mean_wilsons_interval() -> None:
    low, high = _estimates([0.7], [0.1], 1).interval(0, 0.95)
    z = 1.959964
    half = z * np.sqrt(0.7 * 0.3 + z * z / 4) / (1 + z * z)
    assert low == pytest.approx((0.7 + z * z / 2) / (1 + z * z) - half, abs=1e-5)
    assert high == pytest.approx((0.7 + z * z / 2) / (1 + z * z) + half, abs=1e-5)


@pytest.mark.parametrize("level", [0.999, 0.9999, 0.999999])
def test_a_level_beyond_the_replicates_is_students_and_no_narrower(level: float) -> None:
    estimates = _estimates([0.5], [0.001], 50)
    few = replace(estimates, replicates=estimates.replicates[:, :100])
    interval = few.interval(0, level)
    half = stats.t.ppf((1 + level) / 2, 49) * 0.001
    assert interval == pytest.approx((0.5 - half, 0.5 + half), rel=1e-6)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_where_nothing_varies_the_interval_is_wilsons(mean: float) -> None:
    still = Estimates(np.array([mean]), _estimates([0.5], [0.0]).covariance, np.full((1, 100), mean), 20)
    low, high = still.interval(0, 0.95)
    # Wilson's interval of 20 right out of 20 begins at n / (n + z^2).
    assert low == pytest.approx({1.0: 20 / (20 + 1.96**2), 0.0: 0.0}[mean], abs=1e-3)
    assert high == pytest.approx(1 - {0.0: 20 / (20 + 1.96**2), 1.0: 0.0}[mean], abs=1e-3)


def test_a_value_that_every_observation_has_is_fixed_and_not_an_estimate() -> None:
    tied = Estimates(np.array([0.5]), _estimates([0.5], [0.0]).covariance, np.full((1, 100), 0.5), 20)
    assert tied.interval(0, 0.95) == (0.5, 0.5)
    uninformative = replace(tied, replicates=np.ones((1, 100)))  # the informative observations are all right
    assert uninformative.interval(0, 0.95) == pytest.approx((0.2993, 0.7007), abs=1e-3)


@given(st.floats(0, 1), st.floats(0, 0.5), st.integers(1, 50), st.floats(0.5, 0.999))
def test_an_interval_holds_its_estimate_and_stays_within_0_and_1(
    mean: float, error: float, effective_size: int, level: float
) -> None:
    low, high = _estimates([mean], [error], effective_size).interval(0, level)
    assert 0 <= low <= mean <= high <= 1


def test_a_difference_keeps_what_models_share_out_of_its_interval() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(scale=0.1, size=5000)
    own = rng.normal(scale=0.01, size=(2, 5000))
    covariance = np.full((2, 2), 0.01) + np.diag([1e-4, 1e-4])
    replicates = np.array([[0.7], [0.6]]) + shared + own
    both = Estimates(np.array([0.7, 0.6]), Covariance(covariance, covariance, covariance), replicates, 1000)
    interval = both.difference(0, 1, 0.95)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.sqrt(2e-4), rel=0.05)
    assert interval.p_value is not None
    assert interval.p_value < 1e-6
    assert both.difference(1, 0, 0.95).p_value == interval.p_value


@given(
    difference=st.floats(-1, 1), error=st.floats(1e-3, 1), clusters=st.integers(2, 400), level=st.floats(0.5, 0.9999)
)
def test_p_values_are_students_and_agree_with_the_interval(
    difference: float, error: float, clusters: int, level: float
) -> None:
    estimates = _estimates([difference, 0.0], [error, 0.0], clusters)
    interval = estimates.difference(0, 1, level)
    p_value = interval.p_value
    assert p_value is not None
    assert interval.low is not None
    assert interval.high is not None
    assert p_value == pytest.approx(2 * stats.t.sf(abs(difference) / error, clusters - 1), rel=1e-6, abs=1e-300)
    if abs(p_value - (1 - level)) > 1e-9:
        assert (p_value > 1 - level) == (interval.low <= 0 <= interval.high)


def test_a_tiny_p_value_is_not_zero() -> None:
    p_value = _estimates([0.9, 0.5], [0.02, 0.0], 501).difference(0, 1, 0.95).p_value
    assert p_value is not None
    assert 0 < p_value < 1e-50


def test_holm_steps_down_and_never_passes_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_counts_tests_only() -> None:
    assert holm([None, 0.01, None, 0.04]) == [None, 0.02, None, 0.04]
    assert holm([None]) == [None]

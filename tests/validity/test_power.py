"""Power: the probability that a test finds a difference, and the difference that it finds with probability .8."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.values import Values
from simtool.analysis.study import Study
from simtool.validity.power import POWER, detectable, power_of, smallest_difference
from tests.scored import latent, model, observe, outcomes_of


@given(st.floats(-5, 5), st.floats(0.1, 3), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_power_is_that_of_noncentral_t(difference: float, error: float, freedom: int) -> None:
    limit, shift = stats.t.ppf(0.975, freedom), difference / error
    upper, lower = stats.nct.sf(limit, freedom, abs(shift)), stats.nct.cdf(-limit, freedom, abs(shift))
    expected = upper + np.nan_to_num(lower)  # SciPy gives NaN for some lower tails near 0
    assert power_of(difference, error, freedom) == pytest.approx(expected, abs=2e-4)


def test_power_is_the_share_of_simulated_t_tests() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0.7, 1.0, (20_000, 12))
    found = stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05
    assert power_of(0.7, 1 / np.sqrt(12), 11) == pytest.approx(found.mean(), abs=0.012)


@given(st.floats(1e-4, 1), st.integers(1, 1000))
@settings(max_examples=40, deadline=None)
def test_the_smallest_difference_has_the_stated_power(error: float, freedom: int) -> None:
    assert power_of(smallest_difference(error, freedom), error, freedom) == pytest.approx(POWER, abs=1e-4)


def test_in_large_samples_the_smallest_difference_is_2_8_standard_errors() -> None:
    expected = stats.norm.ppf(0.975) + stats.norm.ppf(POWER)
    assert smallest_difference(1.0, 100_000) == pytest.approx(expected, abs=1e-3)


def test_detectable_differences_count_the_pairs_that_can_be_tested() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 20)
    trials = observe(rng, minds, {"2-choose-1": 400})
    own = [model(rng, minds, noise) for noise in (0.5, 1.0, 2.0)]
    scored = [outcomes_of(str(place), "mse", trials, each) for place, each in enumerate([*own, own[0]])]
    study = Study(trials)
    everything = [np.ones(len(study.comparisons), bool)]
    values = Values.of([each.credit for each in scored])
    ((found,),) = estimate([Measured(study.compared, values, everything)], 100, 0)
    row = detectable("all", found)
    assert row is not None
    assert row.pairs == 5  # two of the four models are the same
    assert row.error[0] <= row.error[1] <= row.error[2]
    ratio = np.array(row.difference) / np.array(row.error)
    np.testing.assert_allclose(ratio, smallest_difference(1.0, found.effective_size - 1))

"""A scale and a shift for each channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.models.flows.glow import actnorm
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()


def _applied(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    applied: np.ndarray = (x + weights["actnorm/bias"]) * np.exp(weights["actnorm/log_scale"])
    return applied


def test_it_starts_as_the_identity() -> None:
    weights = actnorm.initial(5)
    x = np.random.default_rng(0).normal(size=(4, 5))
    assert {name: value.shape for name, value in weights.items()} == actnorm.shapes(5)
    assert np.array_equal(_applied(x, weights), x)


@settings(deadline=None)
@given(
    mean=st.floats(-100, 100, allow_nan=False),
    deviation=st.floats(0.01, 100, allow_nan=False),
    seed=st.integers(0, 2**32),
)
def test_it_brings_any_channel_to_mean_0_and_variance_1(mean: float, deviation: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(mean, deviation, size=(100, 1))
    y = _applied(x, actnorm.normalizing(x.mean(0), x.std(0)))
    assert y.mean() == pytest.approx(0, abs=1e-9)
    assert y.var() == pytest.approx(1)


def test_a_channel_that_hardly_varies_is_not_blown_up() -> None:
    x = np.full((100, 2), 0.25)
    x[0, 1] += 1e-7
    weights = actnorm.normalizing(x.mean(0), x.std(0))
    assert np.exp(weights["actnorm/log_scale"]) == pytest.approx(1 / actnorm.SMALLEST_DEVIATION)
    assert np.isfinite(_applied(x, weights)).all()


def test_the_log_determinant_of_a_pixel_is_the_sum_of_the_log_scales() -> None:
    scales = np.array([[0.5, 2.0, 3.0], [1.0, 1.0, 0.1]])
    found = actnorm.log_det({"actnorm/log_scale": tf.constant(np.log(scales))})
    determinants = [np.linalg.det(np.diag(row)) for row in scales]
    assert np.exp(found) == pytest.approx(determinants)

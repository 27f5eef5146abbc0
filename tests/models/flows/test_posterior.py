from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.models.flows.posterior import changed, moderated, moments, reliability


def random(*shape: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_moments_one_at_a_time_are_those_of_all_at_once() -> None:
    observations = 100 + random(7, 2, 3, 3, 4)
    mean, variance = moments(iter(observations))
    np.testing.assert_allclose(mean, observations.mean(0), rtol=1e-6)
    np.testing.assert_allclose(variance, observations.astype(np.float64).var(0, ddof=1), rtol=1e-3)


def test_reliability_is_that_of_spearman_and_brown() -> None:
    # The reliability of one observation is r1 = 1 - S, that of the mean of n is n r1 / (1 + (n - 1) r1).
    noise = np.linspace(0, 1, 11, dtype=np.float32)
    single = reliability(noise, 1)
    np.testing.assert_allclose(single, 1 - noise, atol=1e-6)
    np.testing.assert_allclose(reliability(noise, 8), 8 * single / (1 + 7 * single), atol=1e-6)


def test_dimensions_of_noise_vanish_and_dimensions_without_noise_stay() -> None:
    assert reliability(np.array([0, 1, 2.5], np.float32), 4).tolist() == [1, 0, 0]


def test_the_estimate_is_the_posterior_mean_of_the_value_behind_the_observations() -> None:
    # A value N(0, 1 - S) with noise N(0, S): the best linear estimate of it is r times the mean of n observations.
    generator = np.random.default_rng(1)
    for noise, count in ((0.2, 3), (0.7, 8)):
        own = np.sqrt(1 - noise) * generator.standard_normal(40_000)
        observed = own + np.sqrt(noise) * generator.standard_normal((count, 40_000))
        mean, variance = moments(observed.astype(np.float32))
        slope = (own * mean).mean() / np.square(mean).mean()
        assert slope == pytest.approx(float(reliability(np.float32(noise), count)), abs=0.02)  # type: ignore[arg-type]
        assert variance.mean() == pytest.approx(noise, rel=0.02)


def test_variances_move_towards_their_channel_in_proportion_to_degrees_of_freedom() -> None:
    variance = np.square(random(2, 3, 3, 4))
    channel = variance.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(moderated(variance, 9), (variance + channel) / 2, rtol=1e-6)  # 8 against 8
    np.testing.assert_allclose(moderated(variance, 10_001), variance, rtol=2e-2, atol=1e-2)


@given(st.integers(0, 50), st.integers(0, 2))
def test_a_change_moves_all_images_alike_by_few_pixels(draw: int, shift: int) -> None:
    images = np.broadcast_to(np.arange(5 * 7, dtype=np.float32).reshape(1, 5, 7, 1), (2, 5, 7, 3)).copy()
    moved = changed(images, draw, shift, 0.0)
    np.testing.assert_array_equal(moved[0], moved[1])
    down, right = divmod(int(images[0, 2, 3, 0] - moved[0, 2, 3, 0]) + 3 * 7 + 3, 7)
    assert abs(down - 3) <= shift
    assert abs(right - 3) <= shift
    if shift == 0:
        np.testing.assert_array_equal(moved, images)


def test_a_change_of_brightness_is_the_same_everywhere_and_small() -> None:
    images = random(2, 4, 4, 3)
    difference = changed(images, 5, 0, 0.1) - images
    assert np.ptp(difference) < 1e-6
    assert 0 < abs(difference.mean()) <= 0.1
    np.testing.assert_array_equal(changed(images, 5, 1, 0.1), changed(images, 5, 1, 0.1))
    assert not np.array_equal(changed(images, 5, 1, 0.1), changed(images, 6, 1, 0.1))

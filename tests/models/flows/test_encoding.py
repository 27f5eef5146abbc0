"""Normal distributions of latents."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from simtool.tensorflow import load_tensorflow

load_tensorflow()

from simtool.models.flows.encoding import Normal  # noqa: E402 - Keras after TensorFlow


def test_the_density_is_that_of_independent_normal_distributions() -> None:
    random = np.random.default_rng(0)
    mean, log_scale, z = (random.normal(size=(2, 3, 3, 4)) for _ in range(3))
    expected = scipy.stats.norm.logpdf(z, mean, np.exp(log_scale)).sum(axis=(1, 2, 3))
    assert Normal(mean, log_scale).log_prob(z).numpy() == pytest.approx(expected)


def test_restoring_undoes_standardizing() -> None:
    random = np.random.default_rng(0)
    mean, log_scale, z = (random.normal(size=(2, 3, 3, 4)) for _ in range(3))
    normal = Normal(mean, log_scale)
    assert normal.standardize(z).numpy() == pytest.approx((z - mean) / np.exp(log_scale))
    assert normal.restore(normal.standardize(z)).numpy() == pytest.approx(z)

"""The priors of the latents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

from simtool.models.flows.glow.config import GlowConfig
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

from simtool.models.flows.glow import prior  # noqa: E402 - Keras after TensorFlow

CONFIG = GlowConfig(size=8, levels=2, steps=1, width=4)
STUDY = replace(CONFIG, variant="study")
CLASSES = replace(CONFIG, classes=3)


def _weights(level: int, config: GlowConfig, moved: float = 0.3) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        n: tf.constant(v + moved * random.standard_normal(v.shape)) for n, v in prior.initial(level, config).items()
    }


def _latents(level: int, config: GlowConfig = CONFIG, count: int = 2) -> Any:
    return tf.constant(np.random.default_rng(1).normal(size=(count, *config.scale_shape(level))))


@pytest.mark.parametrize("config", [CONFIG, STUDY])
@pytest.mark.parametrize("level", [1, 2])
def test_untrained_they_are_standard_normal(level: int, config: GlowConfig) -> None:
    weights, z = _weights(level, config, moved=0), _latents(level)
    normal = prior.split(weights, z, config) if level == 1 else prior.deepest(weights, z, None, config)
    assert np.abs(normal.mean).max() == np.abs(normal.log_scale).max() == 0


def test_the_studys_splits_scale_and_shift_to_a_standard_normal_distribution() -> None:
    weights, staying, leaving = _weights(1, STUDY), _latents(1), -_latents(1)
    h = tf.nn.conv2d(staying, weights["prior/kernel"], 1, "SAME") + weights["prior/bias"]
    channels = staying.shape[-1]
    scale, shift = np.exp(h[..., :channels] + 2), h[..., channels:]
    normal = prior.split(weights, staying, STUDY)
    assert normal.standardize(leaving).numpy() == pytest.approx(leaving.numpy() * scale + shift)
    expected = scipy.stats.norm.logpdf(leaving * scale + shift) + np.log(scale)
    assert normal.log_prob(leaving).numpy() == pytest.approx(expected.sum(axis=(1, 2, 3)))


def test_the_studys_deepest_is_standard_normal_and_has_no_weights() -> None:
    assert prior.shapes(2, STUDY) == {}
    z = _latents(2)
    expected = scipy.stats.norm.logpdf(z).sum(axis=(1, 2, 3))
    assert prior.deepest({}, z, None, STUDY).log_prob(z).numpy() == pytest.approx(expected)


def test_the_half_that_stays_decides_the_prior_of_the_half_that_leaves() -> None:
    weights = _weights(1, CONFIG)
    means = [prior.split(weights, factor * _latents(1), CONFIG).mean.numpy() for factor in (1, 2)]
    assert np.abs(means[0] - means[1]).max() > 0.1


def test_each_class_has_its_own_density() -> None:
    weights, z = _weights(2, CLASSES), _latents(2)
    found = prior.class_log_probs(weights, z).numpy()
    assert found.shape == (2, 3)
    for label in range(3):
        mean, scale = weights["prior/mean"][label], np.exp(weights["prior/log_scale"][label])
        expected = scipy.stats.norm.logpdf(z, mean, scale).sum(axis=(1, 2, 3))
        labels = tf.fill([2], label)
        assert found[:, label] == pytest.approx(expected)
        assert prior.deepest(weights, z, labels, CLASSES).log_prob(z).numpy() == pytest.approx(expected)


def test_without_labels_mean_and_variance_are_those_of_the_mixture_of_classes() -> None:
    weights = _weights(2, CLASSES)
    random, count = np.random.default_rng(2), 200_000
    label = random.integers(0, 3, count)
    mean, scale = weights["prior/mean"].numpy()[label, 0], np.exp(weights["prior/log_scale"].numpy()[label, 0])
    drawn = random.normal(mean, scale)
    normal = prior.deepest(weights, _latents(2), None, CLASSES)
    assert float(normal.mean[0, 0, 0, 0]) == pytest.approx(drawn.mean(), abs=0.01)
    assert float(np.exp(normal.log_scale[0, 0, 0, 0])) == pytest.approx(drawn.std(), abs=0.01)


def test_untrained_all_classes_are_alike() -> None:
    found = prior.class_log_probs(_weights(2, CLASSES, moved=0), _latents(2)).numpy()
    assert np.ptp(found, axis=1) == pytest.approx([0, 0])


@pytest.mark.parametrize("config", [CONFIG, STUDY, CLASSES])
@pytest.mark.parametrize("level", [1, 2])
def test_shapes_are_those_of_the_weights(config: GlowConfig, level: int) -> None:
    assert {name: value.shape for name, value in prior.initial(level, config).items()} == prior.shapes(level, config)

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from simtool.errors import UsageError
from simtool.models.errors import ModelError
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.layers import find_layer, layer_names
from simtool.models.flows.posterior import moderated, reliability
from simtool.models.flows.view import Passes, View
from tests.models.flows.glow.flows import tf, trained

CONFIG = GlowConfig(size=8, levels=2, steps=1, width=3)
OF_CLASSES = GlowConfig(size=8, levels=2, steps=1, width=3, classes=3)
Array = NDArray[np.float32]


def pixels(count: int, config: GlowConfig = CONFIG, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (count, *config.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def view() -> View:
    return View(Passes(trained(CONFIG)), pixels(5))


@pytest.fixture(scope="module")
def view_of_classes() -> View:
    return View(Passes(trained(OF_CLASSES)), pixels(5))


def vectors(text: str | None, view: Any) -> Array:
    return find_layer(text, view.flow.config).vectors(view)


def test_only_flows_with_classes_have_layers_of_classes() -> None:
    activations = ("activations", "activations/all", "activations/level-1", "activations/level-2")
    plain = ("latent", "posterior", "scale-1", "scale-2", "pooled", *activations)
    assert layer_names(CONFIG) == plain
    assert layer_names(OF_CLASSES) == (*plain, "class-latent", "class-posterior")


@pytest.mark.parametrize("name", layer_names(OF_CLASSES))
def test_vectors_have_the_shape_and_the_segments_of_their_layer(name: str, view_of_classes: View) -> None:
    layer = find_layer(name, OF_CLASSES)
    found = layer.vectors(view_of_classes)
    length = sum(segment.length * segment.count for segment in layer.segments(OF_CLASSES))
    assert found.shape == (5, length)
    assert math.prod(layer.shape(OF_CLASSES)) == length
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (found.std(axis=0) > 0).any()


def test_latents_are_all_scales_the_deepest_first(view: View) -> None:
    finest, deepest = view.latents
    np.testing.assert_array_equal(vectors("latent", view), np.hstack([deepest.reshape(5, -1), finest.reshape(5, -1)]))
    np.testing.assert_array_equal(vectors(None, view), vectors("latent", view))
    np.testing.assert_array_equal(vectors("scale-2", view), deepest.reshape(5, -1))
    assert [(one.name, one.length) for one in find_layer("latent", CONFIG).segments(CONFIG)] == [
        ("scale-2", 96),
        ("scale-1", 96),
    ]
    assert find_layer("scale-1", CONFIG).shape(CONFIG) == (4, 4, 6)


def test_the_segments_of_the_study_are_those_it_averaged() -> None:
    study = GlowConfig(size=128, levels=6, steps=48, width=400, variant="study")
    lengths = [segment.length for segment in find_layer("latent", study).segments(study)]
    assert lengths == [1536, 1536, 3072, 6144, 12288, 24576]


def test_latents_are_those_of_the_middle_of_a_bin() -> None:
    flow = trained(CONFIG)
    bytes_ = np.random.default_rng(0).integers(0, 256, (2, *CONFIG.shape))
    seen = View(Passes(flow), (bytes_ / 255 - 0.5).astype(np.float32))
    expected = flow.encode(((bytes_ + 0.5) / 256 - 0.5).astype(np.float32)).standardized
    for found, scale in zip(seen.latents, expected, strict=True):
        np.testing.assert_allclose(found, scale, atol=1e-5)


def test_the_variant_study_sees_images_without_noise() -> None:
    config = GlowConfig(size=8, levels=2, steps=1, width=3, variant="study")
    flow = trained(config)
    bytes_ = np.random.default_rng(0).integers(0, 256, (2, *config.shape))
    seen = View(Passes(flow), (bytes_ / 255 - 0.5).astype(np.float32))
    expected = flow.encode((bytes_ / 256 - 0.5).astype(np.float32)).standardized
    np.testing.assert_allclose(seen.latents[1], expected[1], atol=1e-5)


def test_the_posterior_of_the_study_only_rescales(view: View) -> None:
    np.testing.assert_allclose(vectors("posterior:noise=0.5", view), vectors("latent", view) / 1.5, rtol=1e-6)
    np.testing.assert_array_equal(vectors("posterior:noise=0", view), vectors("latent", view))


@dataclass
class Noisy:
    """A view with known observations."""

    flow = SimpleNamespace(config=CONFIG)

    def observation(self, draw: int, shift: int, brightness: float) -> tuple[Array, ...]:
        assert (shift, brightness) == (1, 0.02)
        generator = np.random.default_rng(draw)
        noise = np.array([0.0, 0.5, 2.0])  # of three channels: certain, uncertain, only noise
        return tuple(
            (1 + np.sqrt(noise) * generator.standard_normal((2, side, side, 3))).astype(np.float32) for side in (4, 2)
        )


def test_in_the_measured_posterior_reliable_dimensions_weigh_more() -> None:
    found = vectors("posterior:draws=6", Noisy()).reshape(2, 20, 3)
    observed = [np.stack(scale) for scale in zip(*(Noisy().observation(d, 1, 0.02) for d in range(6)), strict=True)]
    expected = []
    for scale in observed[::-1]:
        variance = moderated(scale.var(axis=0, ddof=1), 6)
        expected.append((scale.mean(axis=0) * reliability(variance, 6)).reshape(2, -1, 3))
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-5)
    np.testing.assert_allclose(found[..., 0], 1, atol=1e-6)
    assert np.abs(found[..., 2]).mean() < 0.1 < np.abs(found[..., 1]).mean()


def test_observations_do_not_depend_on_other_images(view: View) -> None:
    alone = View(Passes(view.flow), pixels(5)[3:4])
    for together, single in zip(view.observation(2, 1, 0.02), alone.observation(2, 1, 0.02), strict=True):
        np.testing.assert_allclose(together[3:4], single, atol=1e-5)


def test_pooled_latents_are_means_and_mean_squares_of_channels(view: View) -> None:
    found = vectors("pooled", view)
    deepest = view.latents[1]
    np.testing.assert_allclose(found[:, :24], deepest.reshape(5, 4, 24).mean(1), atol=1e-6)
    np.testing.assert_allclose(found[:, 24:48], (deepest.reshape(5, 4, 24) ** 2).mean(1), atol=1e-6)
    assert [segment.length for segment in find_layer("pooled", CONFIG).segments(CONFIG)] == [48, 12]


def class_densities(view: View) -> NDArray[np.float64]:
    """log p(z | y) by scipy, (b, classes)."""
    weights = view.flow.variables
    mean, log_scale = (tf.convert_to_tensor(weights[f"level-2/prior/{name}"]).numpy() for name in ("mean", "log_scale"))
    z = view.deepest.astype(np.float64)
    return np.stack([norm.logpdf(z, m, np.exp(s)).sum(axis=(1, 2, 3)) for m, s in zip(mean, log_scale, strict=True)], 1)


@pytest.mark.parametrize("temperature", [1.0, 7.5])
def test_class_posteriors_are_those_of_bayes(view_of_classes: View, temperature: float) -> None:
    found = vectors(f"class-posterior:temperature={temperature}", view_of_classes)
    odds = np.exp(class_densities(view_of_classes) / temperature)
    np.testing.assert_allclose(found**2, odds / odds.sum(1, keepdims=True), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_class_latents_are_in_units_of_the_deviation_within_classes(view_of_classes: View) -> None:
    weights = view_of_classes._passes.flow.variables
    mean, log_scale = (tf.convert_to_tensor(weights[f"level-2/prior/{name}"]).numpy() for name in ("mean", "log_scale"))
    expected = (view_of_classes.deepest.mean(axis=(1, 2)) - mean.mean(0)) / np.sqrt(np.exp(2 * log_scale).mean(0))
    np.testing.assert_allclose(vectors("class-latent", view_of_classes), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("scale-3", "this flow has no layer scale-3; its layers are latent, posterior, scale-1, scale-2"),
        ("class-posterior", "this flow has no layer class-posterior"),
        (
            "activations/level-3",
            r"no layer activations/level-3; .* activations/level-1/step-1, activations/level-2/step-1$",
        ),
        ("activations/level-1/step-2", "this flow has no layer activations/level-1/step-2; its layers are latent"),
        ("latent:pool=max", "latent has no option pool; it has none; the layers of maps, such as activations, have it"),
        ("pooled:pool=max", "layer pooled has no option pool; it has window; the layers of maps"),
        ("posterior:noise=0.5:window=0.5", "layer posterior has no option window"),
        ("activations:flat", "layer activations has no option flat; it has pool, window"),
        ("scale-1:level=2", "layer scale has no option level; it has pool, window"),
        ("posterior:v=1", "layer posterior has no option v; it has noise, draws, shift, brightness"),
        ("posterior:noise", "layer posterior: noise is a number, not nothing"),
        ("posterior:draws=2.5", r"layer posterior: draws is a number, not 2\.5"),
        ("posterior:draws=1", "a posterior needs 2 draws or more"),
        ("posterior:noise=-1", "a noise and a shift of at least 0"),
    ],
)
def test_unknown_layers_and_options_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        find_layer(text, CONFIG)


def test_an_option_is_stated_once() -> None:
    with pytest.raises(UsageError, match="draws is stated twice, as 4 and as 8"):
        find_layer("posterior:draws=4:draws=8", CONFIG)

"""Code lengths of places, and means in which places weigh by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.surprise import code_lengths, place_weights, weighted_vectors
from simtool.models.pooling import Pool, Pooling
from tests.models.flows.glow.flows import images, trained
from tests.models.flows.glow.plain import PlainPass

LENGTHS = np.random.default_rng(0).gamma(2.0, size=(3, 8, 8))
MAPS = np.random.default_rng(1).normal(size=(3, 4, 4, 5))


@pytest.mark.parametrize(("coupling", "variant"), [("affine", "glow"), ("affine", "study"), ("additive", "glow")])
def test_the_code_length_of_a_place_is_that_of_its_latents_and_its_couplings(coupling: Any, variant: Any) -> None:
    config = GlowConfig(size=8, levels=2, steps=2, width=6, coupling=coupling, variant=variant)
    flow, x = trained(config, dtype="float64"), images(config, 3)
    found = code_lengths(flow, x).numpy()
    np.testing.assert_allclose(found, PlainPass(flow, x).code_lengths, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), -flow.encode(x).log_prob.numpy(), rtol=1e-12)


def test_the_code_lengths_of_an_image_add_up_for_a_flow_with_classes() -> None:
    config = GlowConfig(size=8, levels=2, steps=2, width=6, classes=3)
    flow, x = trained(config, dtype="float64"), images(config, 3)
    np.testing.assert_allclose(code_lengths(flow, x).numpy().sum(axis=(1, 2)), -flow.encode(x).log_prob, rtol=1e-12)


def test_a_place_weighs_what_it_takes_above_the_mean_of_the_image() -> None:
    lengths = np.full((1, 4, 4), 2.0)
    lengths[0, 0, 0], lengths[0, 3, 3] = 10.0, 6.0  # the mean is 2.75
    expected = np.zeros((1, 4, 4))
    expected[0, 0, 0], expected[0, 3, 3] = 7.25, 3.25
    np.testing.assert_allclose(place_weights(lengths, 4, np), expected)
    np.testing.assert_allclose(place_weights(lengths, 2, np), [[[7.25 / 4, 0], [0, 3.25 / 4]]])


@given(st.floats(-50, 50), st.floats(0.1, 10), st.sampled_from([2, 4, 8]))
def test_weights_do_not_change_with_what_is_the_same_at_each_place(added: float, scale: float, side: int) -> None:
    expected = place_weights(LENGTHS, side, np)
    np.testing.assert_allclose(place_weights(LENGTHS * scale + added, side, np), expected * scale, atol=1e-9)
    assert expected.min() >= 0
    np.testing.assert_allclose(expected.mean(axis=(1, 2)), place_weights(LENGTHS, 8, np).mean(axis=(1, 2)))


@given(st.sampled_from([1.0, 0.5]), st.floats(0, 5))
def test_equal_weights_give_mean_and_standard_deviation(window: float, weight: float) -> None:
    found = weighted_vectors(MAPS, np.full((3, 4, 4), weight), Pooling(Pool.SURPRISE, window), np)
    np.testing.assert_allclose(found, Pooling(Pool.MEAN_STD, window).vectors(MAPS, np))


def test_a_place_that_weighs_twice_counts_twice() -> None:
    weights = np.random.default_rng(2).integers(0, 4, (3, 4, 4)).astype(float)
    found = weighted_vectors(MAPS, weights, Pooling(Pool.SURPRISE), np)
    for image, row in enumerate(found):
        places = np.repeat(MAPS[image].reshape(16, 5), weights[image].ravel().astype(int), axis=0)
        np.testing.assert_allclose(row, np.concatenate([places.mean(0), places.std(0)]))


def test_keras_computes_the_same() -> None:
    ops = pytest.importorskip("keras.ops")
    pooling = Pooling(Pool.SURPRISE, 0.5)
    lengths = ops.convert_to_tensor(LENGTHS)
    found = weighted_vectors(ops.convert_to_tensor(MAPS), place_weights(lengths, 4, ops), pooling, ops)
    np.testing.assert_allclose(found, weighted_vectors(MAPS, place_weights(LENGTHS, 4, np), pooling, np))

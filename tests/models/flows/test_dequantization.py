"""Bytes become real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

from simtool.models.flows.dequantization import bits_per_dim, dequantize  # noqa: E402 - Keras after TensorFlow

BYTES = np.arange(256)


def _images(values: Any) -> Any:
    """The pixels after preprocessing, in float32: bytes / 255 - 0.5."""
    return tf.constant(np.asarray(values, np.float32)[None, :, None, None] / np.float32(255) - np.float32(0.5))


def _bins(x: Any, bits: int) -> Any:
    return np.floor((np.asarray(x, np.float64).ravel() + 0.5) * 2**bits)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("noise", [0.0, 0.5, 0.999])
def test_every_byte_keeps_its_highest_bits(bits: int, noise: float) -> None:
    x = dequantize(_images(BYTES), bits, tf.fill((1, 256, 1, 1), np.float32(noise)))
    assert x.dtype == "float32"
    assert np.array_equal(_bins(x, bits), BYTES >> (8 - bits))


@pytest.mark.parametrize("bits", [3, 8])
def test_a_value_is_spread_uniformly_over_its_bin(bits: int) -> None:
    noise = np.random.default_rng(0).uniform(size=(1, 256, 1, 1)).astype(np.float32)
    x = np.asarray(dequantize(_images(BYTES), bits, noise), np.float64).ravel()
    within = (x + 0.5) * 2**bits - (BYTES >> (8 - bits))
    assert within == pytest.approx(noise.ravel(), abs=2**-15)
    assert x.min() >= -0.5
    assert x.max() < 0.5


@settings(deadline=None)
@given(value=st.floats(-0.5, 0.5, width=32), bits=st.integers(1, 8))
def test_a_pixel_between_two_bytes_stays_in_the_range(value: float, bits: int) -> None:
    x = float(dequantize(tf.constant(value, shape=(1, 1, 1, 1)), bits, 0.0)[0, 0, 0, 0])
    byte = (value + 0.5) * 255
    assert -0.5 <= x <= 0.5 - 2**-bits
    assert np.floor(byte) // 2 ** (8 - bits) <= (x + 0.5) * 2**bits <= np.floor(byte + 0.01) // 2 ** (8 - bits)


@pytest.mark.parametrize("value", [-0.6, 0.7])
def test_values_beyond_the_range_fall_into_the_outermost_bins(value: float) -> None:
    x = float(dequantize(tf.constant(value, shape=(1, 1, 1, 1)), 8, 0.5)[0, 0, 0, 0])
    assert x == pytest.approx(np.copysign(0.5 - 0.5 / 256, value))


@pytest.mark.parametrize("bits", range(1, 9))
def test_a_uniform_density_costs_as_many_bits_as_there_are(bits: int) -> None:
    assert bits_per_dim(np.zeros(3), 192, bits) == pytest.approx([bits] * 3)


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_knowing_the_bins_of_all_values_costs_nothing(bits: int) -> None:
    assert bits_per_dim(np.array([192 * bits * np.log(2)]), 192, bits) == pytest.approx([0])


def test_bits_are_nats_by_the_logarithm_of_two() -> None:
    assert bits_per_dim(tf.constant([-48.0]), 24, 8).numpy() == pytest.approx([8 + 2 / np.log(2)])

"""A bank of Gabor filters: each answers to its own grating, and a slow convolution gives the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from simtool.images.preprocessing import Preprocessing, Resize, named_preprocessing
from simtool.models.baselines.gabor import FREQUENCIES, ORIENTATIONS, Gabor, filters
from simtool.models.pooling import Pooling
from tests.photographs import draw

SIZE = 64
RECIPE = named_preprocessing("bytes").adjusted(size=SIZE)
BANK = Gabor(RECIPE)


def grating(frequency: float, angle: float) -> NDArray[np.float32]:
    """Gray waves of a frequency in cycles per pixel; at an angle of 0 they run along the rows."""
    y, x = np.mgrid[:SIZE, :SIZE]
    wave = np.cos(2 * math.pi * frequency * (x * math.cos(angle) + y * math.sin(angle)))
    return np.repeat(127.5 + 100 * wave[..., np.newaxis], 3, axis=2).astype(np.float32)


def means(image: NDArray[np.float32], model: Gabor = BANK) -> NDArray[np.float32]:
    """Mean magnitudes, frequency by orientation."""
    return model.embed(image[np.newaxis])[0, :24].reshape(len(FREQUENCIES), ORIENTATIONS)


@pytest.mark.parametrize("frequency", range(len(FREQUENCIES)))
@pytest.mark.parametrize("orientation", range(ORIENTATIONS))
def test_a_grating_excites_its_own_filter_most(frequency: int, orientation: int) -> None:
    found = means(grating(FREQUENCIES[frequency], orientation * math.pi / ORIENTATIONS))
    assert found.argmax() == frequency * ORIENTATIONS + orientation


def test_a_rotation_by_90_degrees_swaps_orientations() -> None:
    image = draw(2, SIZE, SIZE).astype(np.float32)
    turned = np.ascontiguousarray(np.rot90(image))
    np.testing.assert_allclose(means(turned), np.roll(means(image), ORIENTATIONS // 2, axis=1), rtol=1e-4)


def test_a_uniform_image_excites_no_filter() -> None:
    np.testing.assert_allclose(BANK.embed(np.full((1, SIZE, SIZE, 3), 200, np.float32)), 0, atol=1e-5)


@pytest.mark.parametrize("window", [1.0, 0.5])
def test_the_magnitudes_are_those_of_a_slow_convolution_with_mirrored_borders(window: float) -> None:
    image = draw(4, 12, 20)
    gray = image.astype(np.float64) @ (0.2125, 0.7154, 0.0721) / 255
    kept = Pooling(window=window)
    maps = [
        _magnitude(gray - gray.mean(), kernel)[kept.kept(12), kept.kept(20)]
        for frequency in FREQUENCIES
        for kernel in filters(frequency)
    ]
    expected = [values.mean() for values in maps] + [values.std() for values in maps]
    [found] = Gabor(Preprocessing("small", (Resize(12, 20),)), window).embed(image[np.newaxis].astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def _magnitude(gray: NDArray[np.float64], kernel: NDArray[np.complex64]) -> NDArray[np.float64]:
    parts = [ndimage.convolve(gray, part.astype(np.float64), mode="reflect") for part in (kernel.real, kernel.imag)]
    magnitude: NDArray[np.float64] = np.hypot(*parts)
    return magnitude


@pytest.mark.parametrize("frequency", FREQUENCIES[:3])
def test_neighbors_touch_at_half_of_their_peaks(frequency: float) -> None:
    [first, second, *_], [higher, *_] = filters(frequency), filters(2 * frequency)
    peak, middle = abs(_transform(first, frequency, 0)), math.pi / ORIENTATIONS / 2
    assert abs(_transform(first, frequency * 4 / 3, 0)) / peak == pytest.approx(0.5, abs=0.01)
    assert abs(_transform(higher, frequency * 4 / 3, 0)) / abs(_transform(higher, 2 * frequency, 0)) == pytest.approx(
        0.5, abs=0.01
    )
    for kernel in (first, second):
        along = [abs(_transform(kernel, frequency * part, middle)) / peak for part in np.linspace(0.7, 1.1, 50)]
        assert max(along) == pytest.approx(0.5, abs=0.01)


def test_all_filters_have_the_same_energy() -> None:
    energies = [np.square(np.abs(kernel)).sum() for frequency in FREQUENCIES for kernel in filters(frequency)]
    np.testing.assert_allclose(energies, 1, rtol=1e-5)


def _transform(kernel: NDArray[np.complex64], frequency: float, angle: float) -> complex:
    """The Fourier transform of a kernel at a frequency in cycles per pixel, by its definition."""
    height, width = kernel.shape
    y, x = np.mgrid[:height, :width]
    phase = -2j * math.pi * frequency * (x * math.cos(angle) + y * math.sin(angle))
    return complex((kernel * np.exp(phase)).sum())

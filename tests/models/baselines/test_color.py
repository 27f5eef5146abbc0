"""Mean and standard deviation in CIELAB, by published values and by the formulas of the standard."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.images.preprocessing import named_preprocessing
from simtool.models.baselines.color import Color
from simtool.tables.embeddings import Segment
from tests.photographs import draw

RECIPE = named_preprocessing("bytes").adjusted(size=8)


def uniform(red: int, green: int, blue: int) -> NDArray[np.float32]:
    return np.full((1, 8, 8, 3), (red, green, blue), np.float32)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((128, 128, 128), (53.59, 0, 0)),
    ],
)
def test_a_uniform_image_has_the_published_color_and_no_deviation(
    rgb: tuple[int, int, int], lab: tuple[float, float, float]
) -> None:
    [vector] = Color(RECIPE).embed(uniform(*rgb))
    np.testing.assert_allclose(vector, [*lab, 0, 0, 0], atol=0.02)


def test_half_black_and_half_white_has_a_mean_and_a_deviation_of_lightness_of_50() -> None:
    image = uniform(0, 0, 0)
    image[:, :, 4:] = 255
    np.testing.assert_allclose(Color(RECIPE).embed(image), [[50, 0, 0, 50, 0, 0]], atol=0.02)


def test_a_window_sees_the_middle_only() -> None:
    image = uniform(0, 0, 255)
    image[:, 2:6, 2:6] = (255, 0, 0)
    np.testing.assert_allclose(Color(RECIPE, 0.5).embed(image), [[53.24, 80.09, 67.20, 0, 0, 0]], atol=0.02)


def test_means_come_before_deviations() -> None:
    assert Color(RECIPE).output().segments == (Segment("mean", 3), Segment("std", 3))


def test_colors_are_those_of_the_formulas_of_cie_15() -> None:
    image = draw(3, 8, 8)
    lab = np.array([_lab(pixel / 255) for pixel in image.reshape(-1, 3)])
    expected = [*lab.mean(axis=0), *lab.std(axis=0)]
    np.testing.assert_allclose(Color(RECIPE).embed(image[np.newaxis].astype(np.float32))[0], expected, atol=0.02)


def _lab(rgb: NDArray[np.float64]) -> list[float]:
    """sRGB (IEC 61966-2-1) to CIELAB with the white of D65."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in rgb]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.95047, 1, 1.08883)
    ratios = [sum(a * b for a, b in zip(row, linear, strict=True)) / w for row, w in zip(rows, white, strict=True)]
    x, y, z = (r ** (1 / 3) if r > (6 / 29) ** 3 else r / (3 * (6 / 29) ** 2) + 4 / 29 for r in ratios)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]

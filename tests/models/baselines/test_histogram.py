"""A joint histogram counts pixels by red, green and blue."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simtool.images.preprocessing import named_preprocessing
from simtool.models.baselines.histogram import BINS, Histogram
from tests.photographs import draw

MODEL = Histogram(named_preprocessing("bytes").adjusted(size=6))


def test_a_bin_is_32_values_wide_and_blue_varies_fastest() -> None:
    colors = {(0, 0, 0): 0, (31, 31, 31): 0, (0, 0, 32): 1, (0, 32, 0): 8, (32, 0, 0): 64, (255, 255, 255): 511}
    for color, bin_ in colors.items():
        [vector] = MODEL.embed(np.full((1, 6, 6, 3), color, np.float32))
        assert vector[bin_] == vector.sum() == 1


@given(arrays.arrays(np.float32, (1, 6, 6, 3), elements=st.floats(0, 255, width=32)))
def test_the_squares_are_shares_of_all_pixels(images: np.ndarray) -> None:
    np.testing.assert_allclose(np.square(MODEL.embed(images).astype(np.float64)).sum(), 1, rtol=1e-6)


def test_shares_are_those_of_counting_pixel_by_pixel() -> None:
    image = draw(1, 6, 6)
    shares = np.zeros((BINS, BINS, BINS))
    for red, green, blue in image.reshape(-1, 3) // 32:
        shares[red, green, blue] += 1 / 36
    np.testing.assert_allclose(MODEL.embed(image[np.newaxis].astype(np.float32))[0], np.sqrt(shares.ravel()), rtol=1e-6)


def test_the_distance_is_that_of_hellinger_and_images_without_a_common_bin_are_farthest_apart() -> None:
    images = np.stack([np.full((6, 6, 3), value, np.float32) for value in (0, 200, 0)])
    images[2, :3] = 200  # half of the first, half of the second
    first, second, mixed = MODEL.embed(images)
    assert np.isclose(np.linalg.norm(first - second), np.sqrt(2))
    coefficient = np.sqrt(1 * 0.5)
    assert np.isclose(first @ mixed, coefficient)
    assert np.isclose(np.linalg.norm(first - mixed) ** 2, 2 * (1 - coefficient))

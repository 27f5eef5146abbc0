from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.images.resizing import Side, resized
from tests import photographs
from tests.photographs import draw


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)), st.tuples(st.integers(1, 40), st.integers(1, 40)), st.booleans()
)
def test_a_part_equals_that_part_of_the_whole(
    source: tuple[int, int], target: tuple[int, int], antialias: bool
) -> None:
    image = draw(1, *source)
    (height, width), (tall, wide) = source, target
    whole = resized(image, Side(height, tall, 0, tall), Side(width, wide, 0, wide), antialias)
    down, across = Side(height, tall, tall // 3, (tall + 1) // 2), Side(width, wide, wide // 3, (wide + 1) // 2)
    part = resized(image, down, across, antialias)
    whole = whole[down.start : down.start + down.count, across.start : across.start + across.count]
    np.testing.assert_array_equal(part, whole)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_without_antialiasing_it_interpolates_between_four_pixels(
    height: int, width: int, tall: int, wide: int
) -> None:
    image = draw(2, height, width)
    found = resized(image, Side(height, tall, 0, tall), Side(width, wide, 0, wide), antialias=False)
    np.testing.assert_array_equal(found, photographs.resized(image, tall, wide))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_antialiasing_keeps_the_mean_inside_of_the_margins(factor: int) -> None:
    """The triangular filter of a whole factor gives every source pixel the same total weight."""
    line = np.zeros((1, 12 * factor, 1), np.uint8)
    line[0, 5 * factor : 7 * factor] = 200
    found = resized(line, Side(1, 1, 0, 1), Side(12 * factor, 12, 0, 12), antialias=True)
    assert found.mean() * factor == pytest.approx(200 * 2 * factor / 12, rel=1e-5)
    assert (found >= 0).all()


@pytest.mark.parametrize("antialias", [False, True])
def test_the_same_size_is_the_same_image(antialias: bool) -> None:
    image = draw(3, 17, 23)
    np.testing.assert_array_equal(resized(image, Side(17, 17, 0, 17), Side(23, 23, 0, 23), antialias), image)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.images.preprocessing import (
    CentralCrop,
    Divide,
    Preprocessing,
    Resize,
    ReverseChannels,
    Subtract,
    named_preprocessing,
)
from simtool.images.tensors import transform
from simtool.tensorflow import load_tensorflow
from tests.photographs import draw, resized


def applied(recipe: Preprocessing, image: NDArray[np.uint8], graph: bool = False) -> NDArray[np.float32]:
    tf = load_tensorflow()
    function = transform(recipe)
    if graph:
        function = tf.function(function, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    result: NDArray[np.float32] = function(tf.constant(image)).numpy()
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(2, 60), st.floats(0.05, 1), st.integers(1, 40))
def test_crop_and_resize_equal_their_definition(height: int, width: int, fraction: float, size: int) -> None:
    image = draw(1, height, width)
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    expected = resized(image[top : height - top, left : width - left], size, size)
    recipe = Preprocessing("test", (CentralCrop(fraction), Resize(size, size)))
    np.testing.assert_array_equal(applied(recipe, image), expected)


def test_the_crop_is_that_of_tensorflow_on_a_known_shape() -> None:
    tf = load_tensorflow()
    for height in (1, 2, 5, 10, 33, 40, 70):
        image = np.zeros((height, 3, 3), np.uint8)
        image[:, :, 0] = np.arange(height)[:, np.newaxis]
        expected = tf.image.central_crop(image, 0.8).numpy()
        recipe = Preprocessing("test", (CentralCrop(0.8), Resize(*expected.shape[:2])))
        np.testing.assert_array_equal(applied(recipe, image, graph=True), expected)


@pytest.mark.parametrize("recipe", ["study", "square"])
def test_a_graph_gives_the_same_bits_as_eager_execution(recipe: str) -> None:
    image = draw(2, 470, 369)
    np.testing.assert_array_equal(
        applied(named_preprocessing(recipe), image, graph=True), applied(named_preprocessing(recipe), image)
    )


def test_keeping_the_aspect_cuts_off_the_longer_side() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 10:30] = 200
    square = applied(Preprocessing("test", (Resize(20, 20, aspect="crop"),)), image)
    assert (square == 200).all()
    upright = applied(Preprocessing("test", (Resize(20, 20, aspect="crop"),)), np.swapaxes(image, 0, 1))
    assert (upright == 200).all()


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_keeping_the_aspect_always_fills_the_target(height: int, width: int, target: int, across: int) -> None:
    recipe = Preprocessing("test", (Resize(target, across, aspect="crop", antialias=True),))
    filled = applied(recipe, np.full((height, width, 3), 9, np.uint8))
    assert filled.shape == (target, across, 3)
    np.testing.assert_allclose(filled, 9, atol=1e-4)


def test_the_steps_of_caffe_come_in_their_order() -> None:
    image = np.array([[[10, 20, 30]]], np.uint8)
    mean = (103.939, 116.779, 123.68)
    recipe = Preprocessing("caffe", (Resize(1, 1), ReverseChannels(), Subtract(mean), Divide(255.0)))
    expected = (np.array([30, 20, 10], np.float32) - np.array(mean, np.float32)) / np.float32(255)
    np.testing.assert_array_equal(applied(recipe, image, graph=True)[0, 0], expected)


def test_a_preprocessing_in_another_order_is_another_preprocessing() -> None:
    steps: tuple[Any, ...] = (Resize(1, 1), Divide(2.0), Subtract((1.0, 1.0, 1.0)))
    image = np.full((1, 1, 3), 8, np.uint8)
    assert (applied(Preprocessing("a", steps), image) == 3).all()
    assert (applied(Preprocessing("b", steps[::-1]), image) == 3.5).all()

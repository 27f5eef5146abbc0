from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from simtool.images.preprocessing import (
    CentralCrop,
    Divide,
    DivideChannels,
    Preprocessing,
    Resize,
    ReverseChannels,
    Subtract,
    named_preprocessing,
)
from simtool.images.steps import prepared
from simtool.pillow import decode_rgb
from simtool.tensorflow import load_tensorflow
from tests.photographs import draw

sides = st.integers(1, 120) | st.integers(1, 9)
numbers = st.floats(-300, 300, width=32).filter(lambda value: abs(value) > 1e-3)
triples = st.tuples(numbers, numbers, numbers)


def bytes_of(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def by_tensorflow(image: NDArray[Any], recipe: Preprocessing) -> NDArray[np.float32]:
    """The functions of TensorFlow that the steps are named after, one after the other."""
    tf = load_tensorflow()
    values = image
    for step in recipe.steps:
        if isinstance(step, CentralCrop):
            values = tf.image.central_crop(values, step.fraction)
        elif isinstance(step, Resize):
            values = tf_resized(values, step)
        elif isinstance(step, ReverseChannels):
            values = tf.reverse(values, [2])
        elif isinstance(step, Subtract):
            values = tf.cast(values, tf.float32) - tf.constant(step.values, tf.float32)
        else:
            numbers = step.by if isinstance(step, Divide) else step.values
            values = tf.cast(values, tf.float32) / tf.constant(numbers, tf.float32)
    return np.asarray(tf.cast(values, tf.float32))


def tf_resized(values: Any, step: Resize) -> Any:
    tf = load_tensorflow()
    height, width = values.shape[:2]
    if step.aspect == "stretch":
        return tf.image.resize(values, (step.height, step.width), antialias=step.antialias)
    scale = max(step.height / height, step.width / width)
    tall, wide = max(step.height, round(height * scale)), max(step.width, round(width * scale))
    whole = tf.image.resize(values, (tall, wide), antialias=step.antialias)
    return tf.image.crop_to_bounding_box(
        whole, (tall - step.height) // 2, (wide - step.width) // 2, step.height, step.width
    )


@st.composite
def recipes(draw: st.DrawFn) -> Preprocessing:
    colors = st.one_of(
        st.just(ReverseChannels()),
        st.builds(Divide, numbers),
        st.builds(Subtract, triples),
        st.builds(DivideChannels, triples),
    )
    steps: list[Any] = draw(st.lists(colors, max_size=3))
    steps += draw(st.lists(st.builds(CentralCrop, st.floats(0.05, 1)), max_size=1))
    steps.append(draw(st.builds(Resize, sides, sides, st.sampled_from(["stretch", "crop"]), st.booleans())))
    return Preprocessing("any", tuple(draw(st.permutations(steps))))


@settings(max_examples=150, deadline=None)
@given(recipes(), sides, sides, st.integers(0, 99))
def test_every_bit_is_that_of_tensorflow(recipe: Preprocessing, height: int, width: int, seed: int) -> None:
    image = bytes_of(seed, height, width)
    np.testing.assert_array_equal(prepared(image, recipe), by_tensorflow(image, recipe))


@pytest.mark.parametrize("size", [32, 128])
def test_an_antialiased_stimulus_is_that_of_tensorflow(birds16: Path, size: int) -> None:
    image = decode_rgb(min((birds16 / "images").rglob("*.jpg")).read_bytes())
    recipe = named_preprocessing("antialiased").adjusted(size=size)
    found = prepared(image, recipe)
    np.testing.assert_array_equal(found, by_tensorflow(image, recipe))
    assert (found != prepared(image, named_preprocessing("study").adjusted(size=size))).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000), st.integers(1, 4096), st.booleans(), st.booleans())
def test_the_bits_are_equal_on_long_sides_too(source: int, target: int, upright: bool, antialias: bool) -> None:
    line = bytes_of(source, 1, source)
    image, shape = (line.swapaxes(0, 1), (target, 1)) if upright else (line, (1, target))
    expected = load_tensorflow().image.resize(image, shape, antialias=antialias)
    np.testing.assert_array_equal(
        prepared(image, Preprocessing("any", (Resize(*shape, antialias=antialias),))), expected
    )


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.floats(0.2, 1), st.floats(0.3, 1), st.integers(0, 99))
def test_a_bicubic_resize_is_that_of_pillow(
    height: int, width: int, tall: int, wide: int, ratio: float, crop: float, seed: int
) -> None:
    image = bytes_of(seed, height, width)
    stretch = Preprocessing("any", (CentralCrop(crop), Resize(tall, wide, "stretch", True, "bicubic")))
    top, left = int((height - height * crop) / 2), int((width - width * crop) / 2)
    cropped = Image.fromarray(image[top : height - top, left : width - left])
    np.testing.assert_array_equal(prepared(image, stretch), cropped.resize((wide, tall), Image.Resampling.BICUBIC))

    square = Preprocessing("any", (Resize(tall, tall, "crop", True, "bicubic", ratio), Divide(2.0)))
    scale = int(tall / ratio) / min(height, width)
    size = (round(width * scale), round(height * scale))
    whole = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    left, top = ((side - tall) // 2 for side in size)
    expected = np.asarray(whole.crop((left, top, left + tall, top + tall)), np.float32) / np.float32(2)
    np.testing.assert_array_equal(prepared(image, square), expected)


def test_a_crop_ratio_cuts_off_the_margins_of_a_larger_image() -> None:
    image = bytes_of(3, 40, 70)
    whole = prepared(image, Preprocessing("any", (Resize(20, 20, "crop", True),)))
    centre = prepared(image, Preprocessing("any", (Resize(10, 10, "crop", True, crop_ratio=0.5),)))
    np.testing.assert_array_equal(centre, whole[5:15, 5:15])


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}], ids=str)
def test_a_jpeg_is_decoded_as_by_tensorflow_with_accurate_transforms(mode: str, options: dict[str, Any]) -> None:
    file = io.BytesIO()
    Image.fromarray(draw(3, 67, 45)).convert(mode).save(file, "JPEG", quality=80, **({} if mode == "L" else options))
    expected = load_tensorflow().io.decode_jpeg(file.getvalue(), channels=3, dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(decode_rgb(file.getvalue()), expected)


def test_inks_differ_from_tensorflow_by_a_level_at_most() -> None:
    file = io.BytesIO()
    inks = np.random.default_rng(0).integers(0, 256, (60, 80, 4), np.uint8)
    Image.fromarray(inks, "CMYK").save(file, "JPEG")
    expected = load_tensorflow().io.decode_jpeg(file.getvalue(), channels=3, dct_method="INTEGER_ACCURATE")
    np.testing.assert_allclose(decode_rgb(file.getvalue()).astype(int), expected.numpy().astype(int), atol=1)


def test_keeping_the_aspect_cuts_off_the_longer_side() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 10:30] = 200
    square = prepared(image, Preprocessing("test", (Resize(20, 20, aspect="crop"),)))
    assert (square == 200).all()
    upright = prepared(np.swapaxes(image, 0, 1), Preprocessing("test", (Resize(20, 20, aspect="crop"),)))
    assert (upright == 200).all()


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_keeping_the_aspect_always_fills_the_target(height: int, width: int, target: int, across: int) -> None:
    recipe = Preprocessing("test", (Resize(target, across, aspect="crop", antialias=True),))
    filled = prepared(np.full((height, width, 3), 9, np.uint8), recipe)
    assert filled.shape == (target, across, 3)
    np.testing.assert_allclose(filled, 9, atol=1e-4)


def test_the_steps_of_caffe_come_in_their_order() -> None:
    image = np.array([[[10, 20, 30]]], np.uint8)
    mean = (103.939, 116.779, 123.68)
    recipe = Preprocessing("caffe", (Resize(1, 1), ReverseChannels(), Subtract(mean), Divide(255.0)))
    expected = (np.array([30, 20, 10], np.float32) - np.array(mean, np.float32)) / np.float32(255)
    np.testing.assert_array_equal(prepared(image, recipe)[0, 0], expected)


def test_a_preprocessing_in_another_order_is_another_preprocessing() -> None:
    steps: tuple[Any, ...] = (Resize(1, 1), Divide(2.0), Subtract((1.0, 1.0, 1.0)))
    image = np.full((1, 1, 3), 8, np.uint8)
    assert (prepared(image, Preprocessing("a", steps)) == 3).all()
    assert (prepared(image, Preprocessing("b", steps[::-1])) == 3.5).all()

"""Augmentation changes images at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.images.preprocessing import PreprocessingError
from simtool.tensorflow import load_tensorflow
from simtool.training.augmentation import AUGMENTATIONS, Augmentation, augment, by_loops, by_operations, mirrored
from simtool.training.data import Draws


def draws(count: int, seed: int = 0) -> Draws:
    tf = load_tensorflow()
    return Draws(tf.constant([seed, 1]), count, tf.range(count))


def examples(count: int = 4, side: int = 16) -> NDArray[np.uint8]:
    """Smooth images, so that resampling loses little, which differ in all directions."""
    y, x = np.mgrid[0:side, 0:side] / side
    image = np.stack([200 * x + 20, 100 * y + 60, 60 * x * y + 90], axis=-1)
    return np.repeat(image[None], count, axis=0).astype(np.uint8)


def changed(augmentation: Augmentation, count: int = 64, seed: int = 0, **size: Any) -> NDArray[np.float32]:
    found: NDArray[np.float32] = augment(examples(count, **size), augmentation, draws(count, seed)).numpy()
    return found


def test_nothing_changes_nothing() -> None:
    np.testing.assert_array_equal(changed(AUGMENTATIONS["none"]), examples(64))


def test_half_of_the_images_are_mirrored_and_nothing_else() -> None:
    found, image = changed(AUGMENTATIONS["flip"], 400), examples(1)[0].astype(np.float32)
    mirrored = [np.allclose(one, image[:, ::-1], atol=1e-3) for one in found]
    kept = [np.allclose(one, image, atol=1e-3) for one in found]
    assert sum(mirrored) + sum(kept) == 400
    assert 160 < sum(mirrored) < 240


def test_a_quarter_turn_shows_rows_as_columns() -> None:
    # Only turns of up to a quarter are drawn; the largest of many is close to it.
    image, found = examples(1)[0].astype(np.float32), changed(Augmentation(rotation=0.25), 4000)
    turned = [np.rot90(image), np.rot90(image, -1)]
    assert min(float(np.abs(one - turn).mean()) for one in found for turn in turned) < 1


def test_a_crop_shows_a_part_without_its_surroundings() -> None:
    found = changed(Augmentation(area=0.25), 200)
    image = examples(1)[0].astype(np.float32)
    spans = np.ptp(found[..., 0], axis=(1, 2)) / np.ptp(image[..., 0])
    # Half of each side at least, and where it lies differs.
    assert 0.4 < spans.min() < 0.6
    assert spans.max() > 0.9
    assert np.ptp(found[:, 0, 0, 0]) > 50
    assert found[..., 0].min() >= image[..., 0].min() - 1e-3


def test_contrast_keeps_the_mean_of_each_channel() -> None:
    found = changed(Augmentation(contrast=0.2))
    np.testing.assert_allclose(found.mean(axis=(1, 2)), examples(64).mean(axis=(1, 2)), atol=0.01)
    ratios = found.std(axis=(1, 2))[:, 0] / examples(1).std(axis=(1, 2))[0, 0]
    assert 0.79 < ratios.min() < 0.85
    assert 1.15 < ratios.max() < 1.21


def test_brightness_adds_the_same_to_every_pixel() -> None:
    difference = changed(Augmentation(brightness=0.05)) - examples(64)
    assert np.ptp(difference, axis=(1, 2, 3)).max() < 1e-3
    assert 10 < np.abs(difference).max() <= 255 * 0.05 + 1e-3


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    assert np.std(changed(Augmentation(noise=0.02)) - examples(64)) == pytest.approx(255 * 0.02, rel=0.03)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_values_stay_colors(name: str) -> None:
    found = changed(AUGMENTATIONS[name])
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 255


def test_the_same_draws_change_the_same_way_however_a_batch_is_split() -> None:
    tf = load_tensorflow()
    whole = changed(AUGMENTATIONS["study"], 8, seed=3)
    parts = np.empty_like(whole)
    for rank in range(2):
        mine = Draws(tf.constant([3, 1]), 8, tf.range(rank, 8, 2))
        parts[rank::2] = augment(examples(8)[rank::2], AUGMENTATIONS["study"], mine)
    np.testing.assert_array_equal(parts, whole)
    assert not np.array_equal(changed(AUGMENTATIONS["study"], 8, seed=4), whole)


AMOUNTS = st.builds(
    Augmentation,
    flip=st.booleans(),
    rotation=st.floats(0, 0.99),
    translation=st.floats(0, 0.99),
    zoom=st.floats(0, 0.99),
    area=st.floats(0.05, 1),
    stretch=st.floats(1, 4),
    contrast=st.sampled_from([0.0, 0.3]),
    brightness=st.sampled_from([0.0, 0.2]),
    noise=st.sampled_from([0.0, 0.1]),
)


@settings(deadline=None, max_examples=15)
@given(
    augmentation=st.one_of(st.sampled_from(list(AUGMENTATIONS.values())), AMOUNTS),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**31 - 1),
)
def test_loops_give_the_bits_of_the_operations(augmentation: Augmentation, height: int, width: int, seed: int) -> None:
    tf = load_tensorflow()
    images = np.random.default_rng(seed).integers(0, 256, (5, height, width, 3), np.uint8)

    def both(images: Any, seed: Any) -> Any:
        drawn = Draws(seed, 16, tf.range(3, 16, 3)[:5])
        return by_loops(images, augmentation, drawn), by_operations(images, augmentation, drawn)

    for function in (tf.function(both, autograph=False), both):
        loops, operations = function(tf.constant(images), tf.constant([seed, 1]))
        np.testing.assert_array_equal(loops, operations)


def test_loops_read_no_neighbor_beyond_the_image() -> None:
    # The last pixel of a white image has black neighbors of weight 0.
    images = np.full((2, 9, 7, 3), 255, np.uint8)
    for name in ("flip", "none"):
        found = by_loops(images, AUGMENTATIONS[name], draws(2)).numpy()
        np.testing.assert_array_equal(found, images)


def test_half_of_the_images_are_mirrored_in_their_type() -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 3), np.uint8)
    found = mirrored(images, draws(400)).numpy()
    turned = [np.array_equal(one, image[:, ::-1]) for one, image in zip(found, images, strict=True)]
    kept = [np.array_equal(one, image) for one, image in zip(found, images, strict=True)]
    assert sum(turned) + sum(kept) == 400
    assert 160 < sum(turned) < 240
    np.testing.assert_array_equal(turned, draws(400).uniform().numpy() < 0.5)


@pytest.mark.parametrize("values", [{"rotation": 1.0}, {"noise": -0.1}, {"area": 0.0}, {"stretch": 0.5}])
def test_amounts_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(PreprocessingError, match=f"not {next(iter(values.values()))}"):
        Augmentation(**values)  # type: ignore[arg-type]

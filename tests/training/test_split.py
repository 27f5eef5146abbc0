"""Images are split for training and validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.pillow import ImageError
from simtool.tables.images import Images
from simtool.training.split import Split, split_images


def table(per_class: int = 10, classes: int = 3) -> Images:
    """Half of each class is of the split train."""
    count = per_class * classes
    return Images.build(
        [f"{row}.jpg" for row in range(count)],
        [f"{row}.jpg" for row in range(count)],
        class_id=np.repeat(np.arange(classes), per_class),
        split=["train" if row % 2 else "test" for row in range(count)],
    )


def test_the_split_of_the_table_can_divide_it() -> None:
    divided = split_images(table(), "split", seed=0)
    assert divided.train.tolist() == list(range(1, 30, 2))
    assert divided.validation.tolist() == list(range(0, 30, 2))


def test_a_split_for_validation_is_preferred_and_test_stays_out() -> None:
    images = replace(table(), split=np.array(["train", "validation", "test"] * 10, object))
    divided = split_images(images, "split", seed=0)
    assert divided.train.tolist() == list(range(0, 30, 3))
    assert divided.validation.tolist() == list(range(1, 30, 3))
    with pytest.raises(
        ImageError, match="--validation study needs the split train or test for each image, but some have valid"
    ):
        split_images(images, "study", seed=0)


def test_the_study_trained_on_four_fifths_of_the_test_split_too() -> None:
    divided = split_images(table(), "study", seed=0)
    assert len(divided.validation) == 3
    assert set(divided.validation % 2) == {0}
    assert sorted(divided.validation // 10) == [0, 1, 2]


def test_nothing_is_held_out_if_so_asked() -> None:
    divided = split_images(table(), "none", seed=0)
    assert (len(divided.train), len(divided.validation)) == (30, 0)


@given(st.floats(0.05, 0.95), st.integers(2, 9), st.integers(0, 99))
def test_a_fraction_of_each_class_is_held_out_but_never_all_of_it(fraction: float, per_class: int, seed: int) -> None:
    images = table(per_class)
    held = min(round(fraction * per_class), per_class - 1)
    divided = split_images(images, str(fraction), seed)
    counts = np.bincount(images.class_id[divided.validation], minlength=3)
    if held == 0:
        # No class alone gives an image: they come from some of the classes, one of each.
        assert counts.sum() == min(max(round(fraction * len(images)), 1), 3)
        assert counts.max() == 1
    else:
        assert counts.tolist() == [held] * 3
    assert sorted([*divided.train, *divided.validation]) == list(range(len(images)))


def test_the_random_choice_depends_on_the_seed_alone() -> None:
    draws = [split_images(table(), "0.3", seed).validation.tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("rule", ["half", "0", "1", "-0.1", "nan"])
def test_an_unknown_rule_is_refused(rule: str) -> None:
    with pytest.raises(ImageError, match="a fraction above 0 and below 1, not"):
        split_images(table(), rule, seed=0)


def test_a_table_without_splits_says_what_to_do_instead() -> None:
    images = Images.build(["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"])
    with pytest.raises(ImageError, match=r"--validation 0\.1"):
        split_images(images, "split", seed=0)


def test_images_can_be_left_out_of_both_sides() -> None:
    divided = Split(np.array([0, 1, 2]), np.array([3, 4])).without([1, 4])
    assert (divided.train.tolist(), divided.validation.tolist()) == ([0, 2], [3])

"""Which values a coupling is given, and which it transforms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.models.flows.jet import halves
from tests.models.flows.jet.flows import config_of

CONFIG = config_of(steps=12, size=8, patch=2)  # 4 x 4 patches of 12 values


def given_patches(number: int) -> NDArray[np.bool_]:
    """For each of the 4 x 4 patches, whether all its values are given."""
    order = halves.orders(halves.permutations(CONFIG, np.random.default_rng(0)), CONFIG)[number]
    counts = np.bincount(order[: len(order) // 2] // 12, minlength=16)
    assert set(counts) <= {0, 12}
    found: NDArray[np.bool_] = (counts == 12).reshape(4, 4)
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.sampled_from([(8, 2), (16, 4), (4, 2)]), st.integers(0, 5), st.integers(0, 99))
def test_each_order_has_every_value_once(steps: int, sides: tuple[int, int], every: int, seed: int) -> None:
    config = config_of(steps, size=sides[0], patch=sides[1], spatial_every=every)
    found = halves.orders(halves.permutations(config, np.random.default_rng(seed)), config)
    np.testing.assert_array_equal(np.sort(found), np.broadcast_to(np.arange(config.dimension), found.shape))


def test_couplings_of_values_are_given_the_same_half_of_every_patch() -> None:
    permutations = halves.permutations(CONFIG, np.random.default_rng(0))
    tokens = halves.orders(permutations, CONFIG)[0].reshape(2, 16, 6)
    for patch in range(16):
        np.testing.assert_array_equal(tokens[0, patch], 12 * patch + permutations[0, :6])
        np.testing.assert_array_equal(tokens[1, patch], 12 * patch + permutations[0, 6:])
    assert not np.array_equal(permutations[0], permutations[2])


def test_couplings_of_patches_take_turns_at_six_patterns() -> None:
    row, column = np.indices((4, 4))
    for number, expected in [(1, row + column), (5, column), (9, row)]:
        np.testing.assert_array_equal(given_patches(number), expected % 2 == 0)
        np.testing.assert_array_equal(given_patches(number + 2), expected % 2 == 1)


def test_tokens_lie_at_the_patch_they_see_or_at_its_neighbor_that_is_transformed() -> None:
    np.testing.assert_array_equal(halves.places(0, CONFIG), np.arange(16))
    for number in (1, 3, 5, 7, 9, 11):
        own, neighbor = halves.places(number, CONFIG).reshape(8, 2).T
        is_given = given_patches(number).ravel()
        assert is_given[own].all()
        assert not is_given[neighbor].any()
        distance = np.abs(own // 4 - neighbor // 4) + np.abs(own % 4 - neighbor % 4)
        np.testing.assert_array_equal(distance, 1)


def test_an_order_with_a_value_twice_is_refused() -> None:
    permutations = halves.permutations(CONFIG, np.random.default_rng(0))
    permutations[3, 0] = permutations[3, 1]
    with pytest.raises(ModelError, match="is no permutation"):
        halves.orders(permutations, CONFIG)

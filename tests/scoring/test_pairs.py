from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.comparisons import Comparisons
from simtool.scoring import pairs
from simtool.scoring.pairs import TILE, PairNumbers, Pairs
from tests.scoring.judged import compared_pairs, some_trials


def random_pairs(images: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, images, count).astype(np.int32)
    return left, ((left + rng.integers(1, images, count)) % images).astype(np.int32)


@given(images=st.integers(2, 3000), count=st.integers(1, 400), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_every_given_pair_is_found_among_the_distinct_ones(images: int, count: int, seed: int) -> None:
    left, right = random_pairs(images, count, seed)
    found, slots = Pairs.of(left, right, images)
    np.testing.assert_array_equal(found.first[slots], np.minimum(left, right))
    np.testing.assert_array_equal(found.second[slots], np.maximum(left, right))
    assert len(found) == len({*zip(found.first, found.second, strict=True)}) == len(np.unique(slots))


def test_pairs_of_a_tile_stand_together_and_share_their_first_image_in_turn() -> None:
    found, _ = Pairs.of(*random_pairs(2000, 20_000, 0), 2000)
    places = np.stack([found.first // TILE[0], found.second // TILE[1], found.first, found.second], axis=1)
    np.testing.assert_array_equal(places, places[np.lexsort(places.T[::-1])])


def test_each_comparison_points_to_its_two_pairs() -> None:
    trials = some_trials(41)
    compared, implied = compared_pairs(trials), Comparisons.of(trials)
    for places, ends in ((compared.near, implied.near), (compared.far, implied.far)):
        some = compared.pairs.take(places)
        shown = np.stack([some.first, some.second], axis=1)
        np.testing.assert_array_equal(shown, np.sort(np.stack([implied.anchor, ends], axis=1), axis=1))


@pytest.mark.parametrize("images", [2, 40, 127, 128, 129, 511, 512, 513, 1300, 3000])
def test_bits_and_sorted_keys_number_pairs_alike(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = random_pairs(images, 500, images)
    left[:2], right[:2] = [0, images - 1], [images - 1, images - 2]
    monkeypatch.setattr(pairs, "_BYTES_EACH", 1 << 20)
    bits = PairNumbers.of(left, right, images)
    bit_slots = Pairs.of(left, right, images)[1]
    monkeypatch.setattr(pairs, "_BYTES", 0)
    keys = PairNumbers.of(left, right, images)
    key_slots = Pairs.of(left, right, images)[1]
    assert (bits.bits.size > 0, bits.keys.size) == (True, 0)
    assert (keys.bits.size, keys.keys.size) == (0, len(bits.pairs()))
    np.testing.assert_array_equal(bit_slots, key_slots)
    np.testing.assert_array_equal(bits.pairs().first, keys.pairs().first)
    np.testing.assert_array_equal(bits.pairs().second, keys.pairs().second)


def test_pairs_of_very_many_images_take_no_bits() -> None:
    left, right = random_pairs(1_000_000, 300, 0)
    numbers = PairNumbers.of(left, right, 1_000_000)
    assert numbers.bits.size == 0
    found = numbers.pairs()
    assert sorted(zip(np.minimum(left, right), np.maximum(left, right), strict=True)) == sorted(
        zip(found.first, found.second, strict=True)
    )

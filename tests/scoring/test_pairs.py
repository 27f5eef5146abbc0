from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.comparisons import Comparisons
from simtool.scoring.pairs import TILE, ComparedPairs, Pairs
from simtool.tables.trials import Trials
from tests.scoring.judged import some_trials


def random_pairs(images: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, images, count).astype(np.int32)
    return left, ((left + rng.integers(1, images, count)) % images).astype(np.int32)


@given(images=st.integers(2, 3000), count=st.integers(1, 400), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_every_given_pair_is_found_among_the_distinct_ones(images: int, count: int, seed: int) -> None:
    left, right = random_pairs(images, count, seed)
    pairs, slots = Pairs.of(left, right, images)
    np.testing.assert_array_equal(pairs.first[slots], np.minimum(left, right))
    np.testing.assert_array_equal(pairs.second[slots], np.maximum(left, right))
    assert len(pairs) == len({*zip(pairs.first, pairs.second, strict=True)}) == len(np.unique(slots))


def test_pairs_of_a_tile_stand_together_and_share_their_first_image_in_turn() -> None:
    pairs, _ = Pairs.of(*random_pairs(2000, 20_000, 0), 2000)
    places = np.stack([pairs.first // TILE[0], pairs.second // TILE[1], pairs.first, pairs.second], axis=1)
    np.testing.assert_array_equal(places, places[np.lexsort(places.T[::-1])])


def test_each_comparison_points_to_its_two_pairs() -> None:
    trials = some_trials(41)
    compared, implied = ComparedPairs.of(trials), Comparisons.of(trials)
    for places, ends in ((compared.near, implied.near), (compared.far, implied.far)):
        pairs = compared.pairs.take(places)
        shown = np.stack([compared.used[pairs.first], compared.used[pairs.second]], axis=1)
        np.testing.assert_array_equal(shown, np.sort(np.stack([implied.anchor, ends], axis=1), axis=1))


def test_images_that_no_trial_shows_are_left_out() -> None:
    trials = Trials.build(list("abcdef"), ["2-choose-1"], np.array([4]), np.array([[1, 5]]), np.array([[0]]))
    collected = ComparedPairs.of(trials)
    assert collected.used.tolist() == [1, 4, 5]
    assert collected.pairs.images == 3

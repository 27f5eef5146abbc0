from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.scoring.pairs import TILE, Pairs, TrialPairs
from simtool.tables.trials import Trials
from tests.analysis.judged import some_trials


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


def test_a_display_points_from_each_reference_to_its_pair_with_the_query() -> None:
    trials = some_trials(40)
    collected = TrialPairs.of(trials)
    for display in collected.displays:
        pairs = collected.pairs.take(display.slots.ravel())
        shown = np.stack([collected.used[pairs.first], collected.used[pairs.second]], axis=1)
        references = trials.references[display.rows, : display.kind.n_reference]
        query = np.repeat(trials.query[display.rows], display.kind.n_reference)
        np.testing.assert_array_equal(np.sort(shown, axis=1), np.sort(np.stack([query, references.ravel()], axis=1)))


def test_displays_cover_every_trial_once() -> None:
    rows = np.concatenate([display.rows for display in TrialPairs.of(some_trials(41)).displays])
    np.testing.assert_array_equal(np.sort(rows), np.arange(41))


def test_images_that_no_trial_shows_are_left_out() -> None:
    trials = Trials.build(list("abcdef"), ["2-choose-1"], np.array([4]), np.array([[1, 5]]), np.array([[0]]))
    collected = TrialPairs.of(trials)
    assert collected.used.tolist() == [1, 4, 5]
    assert collected.pairs.images == 3


def test_types_of_which_no_trial_is_left_are_passed_over() -> None:
    trials = some_trials(8).take(np.array([0, 4]))
    assert [str(display.kind) for display in TrialPairs.of(trials).displays] == ["2-choose-1"]

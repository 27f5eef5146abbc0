from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.scoring import plan
from simtool.scoring.plan import Plan, is_dense
from simtool.scoring.scoring import score_vectors
from simtool.tables.trials import Trials
from tests.scoring.judged import exact_credit, some_trials, some_vectors


def test_each_selection_compares_distinct_pairs_of_places() -> None:
    made = Plan.of(some_trials(40)).display
    for number, (start, stop) in enumerate(zip(made.pair_start[:-1], made.pair_start[1:], strict=True)):
        places = list(zip(made.left[start:stop], made.right[start:stop], strict=True))
        assert len(set(places)) == len(places), number
        assert {left for left, _ in places} == {-1}


def test_images_that_no_trial_shows_are_left_out() -> None:
    trials = Trials.build(list("abcdef"), ["2-choose-1"], np.array([4]), np.array([[1, 5]]), np.array([[0]]))
    made = Plan.of(trials)
    assert made.used.tolist() == [1, 4, 5]
    assert made.numbers.images == 3
    assert made.display.position[[1, 4, 5]].tolist() == [0, 1, 2]


def test_each_step_of_trials_knows_its_first_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = some_trials(3 * plan.STEP + 5)
    end = np.cumsum(trials.implied)
    np.testing.assert_array_equal(Plan.of(trials).first, [0, *end[[plan.STEP * step - 1 for step in (1, 2, 3)]]])


@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_some_comparisons_are_those_of_a_mask(seed: int, share: float) -> None:
    trials = some_trials(50, seed=seed)
    wanted = np.random.default_rng(seed).random(trials.comparisons) < share
    found, expected = Plan.of(trials).some(wanted), Comparisons.of(trials).take(wanted)
    for name in ("trial", "anchor", "near", "far"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_few_images_in_many_trials_take_a_matrix_and_many_images_a_list() -> None:
    assert is_dense(2 * 4_700_000, 1854)
    assert not is_dense(2 * 1_000_000 + 8 * 200_000, 11_788)
    assert Plan.of(some_trials(2000)).numbers.dense
    assert not Plan.of(some_trials(40, images=300)).numbers.dense


TYPES = ("2-choose-1", "8-rank-2", "5-choose-2", "3-rank-1", "4-rank-3", "3-odd-1", "5-odd-1")


@st.composite
def experiments(draw: st.DrawFn) -> Trials:
    """Trials of several types in any order, on images of which some repeat and some never occur."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kinds = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=12))
    references, selected, query = np.full((len(kinds), 8), -1), np.full((len(kinds), 3), -1), []
    for row, kind in enumerate(map(parse_type, kinds)):
        first, *shown = rng.permutation(14)[: kind.n_reference + 1]
        query.append(first if kind.has_query else -1)
        references[row, : kind.n_reference] = shown
        selected[row, : kind.n_select] = rng.permutation(kind.n_reference)[: kind.n_select]
    return Trials.build([f"image {image}" for image in range(16)], kinds, np.array(query), references, selected)


@given(trials=experiments(), seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_every_plan_gives_the_credit_of_exact_arithmetic(trials: Trials, seed: int) -> None:
    vectors = some_vectors("duplicates" if seed % 2 else "pixels", 16, 6, seed)
    names = ["mse", "cosine", "correlation", "manhattan"]
    found = {}
    for dense in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "is_dense", lambda *_, dense=dense: dense)
            found[dense] = list(score_vectors(vectors, trials, names))
    for one, other in zip(found[False], found[True], strict=True):
        np.testing.assert_array_equal(one.credit, exact_credit(one.distance, vectors, trials), err_msg=one.distance)
        np.testing.assert_array_equal(other.credit, one.credit, err_msg=one.distance)

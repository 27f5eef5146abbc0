from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.scoring.credit import Credits, credits_of
from simtool.scoring.distances import Measured
from simtool.scoring.pairs import TrialPairs
from simtool.tables.trials import Trials


def judge(
    kind: str,
    near: list[float],
    selected: list[int],
    tolerance: float = 0.0,
    ranks: list[int] | None = None,
) -> Credits:
    """The credits of one trial whose references lie at the given distances."""
    count = parse_type(kind).n_reference
    names = [f"image {number}" for number in range(count + 1)]
    trials = Trials.build(names, [kind], np.array([0]), np.arange(1, count + 1)[None], np.array([selected]))
    pairs = TrialPairs.of(trials)
    value = np.empty(count)
    value[pairs.displays[0].slots[0]] = near

    def settle(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        result = np.zeros(count, np.int64)
        result[pairs.displays[0].slots[0]] = ranks or [0] * count
        return np.where(wanted, result, -1)

    return credits_of(pairs, Measured(value, value, tolerance), settle)


def by_lot(near: list[float], selected: list[int]) -> tuple[float, float, float]:
    """The shares of all orders of the references, sorted by distance, that begin as was selected."""
    hits, total = np.zeros(3), 0
    for lots in permutations(range(len(near))):
        order = sorted(range(len(near)), key=lambda one: (near[one], lots[one]))
        first = order[: len(selected)]
        hits += [order[0] == selected[0], first == selected, set(first) == set(selected)]
        total += 1
    top_1, ordered, unordered = hits / total
    return top_1, ordered, unordered


@st.composite
def displays(draw: st.DrawFn) -> tuple[list[float], list[int]]:
    count = draw(st.integers(2, 6))
    near = [float(draw(st.integers(1, 3))) for _ in range(count)]
    selected = draw(st.permutations(range(count))).copy()[: draw(st.integers(1, count - 1))]
    return near, selected


@given(display=displays())
@settings(max_examples=60, deadline=None)
def test_selections_have_the_chance_that_ties_broken_by_lot_give_them(display: tuple[list[float], list[int]]) -> None:
    near, selected = display
    found = judge(f"{len(near)}-rank-{len(selected)}", near, selected)
    expected = by_lot(near, selected)
    np.testing.assert_allclose([found.top_1[0], found.ordered[0], found.unordered[0]], expected, atol=1e-6)


@given(display=displays())
@settings(max_examples=60, deadline=None)
def test_unranked_selections_may_come_first_in_any_order(display: tuple[list[float], list[int]]) -> None:
    near, selected = display
    found = judge(f"{len(near)}-choose-{len(selected)}", near, selected)
    any_of_them = sum(by_lot(near, [one])[0] for one in selected)
    _, ordered, unordered = by_lot(near, selected)
    np.testing.assert_allclose(
        [found.top_1[0], found.ordered[0], found.unordered[0]], [any_of_them, ordered, unordered], atol=1e-6
    )


@given(display=displays(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_ties_share_credit_whatever_their_position(display: tuple[list[float], list[int]], data: st.DataObject) -> None:
    near, selected = display
    kind = f"{len(near)}-rank-{len(selected)}"
    order = data.draw(st.permutations(range(len(near))))
    place = {old: new for new, old in enumerate(order)}
    found = judge(kind, near, selected)
    moved = judge(kind, [near[old] for old in order], [place[old] for old in selected])
    assert sorted(found.comparisons[0]) == sorted(moved.comparisons[0])
    for name in ("top_1", "ordered", "unordered"):
        np.testing.assert_allclose(getattr(found, name), getattr(moved, name), atol=1e-7)


@pytest.mark.parametrize("kind", ["2-choose-1", "8-rank-2", "8-choose-2", "5-rank-4"])
def test_a_model_that_ties_everything_is_at_chance(kind: str) -> None:
    trial_type = parse_type(kind)
    found = judge(kind, [1.0] * trial_type.n_reference, list(range(trial_type.n_select)))
    assert (found.comparisons == 0.5).all()
    for name, score in trial_type.scores.items():
        assert getattr(found, name)[0] == pytest.approx(score.chance)


def test_comparisons_come_in_the_contracts_order() -> None:
    ranked = judge("4-rank-2", [4, 1, 3, 2], [2, 1])
    # 3 against 4, 1, 2 (as presented); then 1 against 4, 2
    assert ranked.comparisons[0].tolist() == [1, 0, 0, 1, 1]
    chosen = judge("4-choose-2", [4, 1, 3, 2], [2, 1])
    # 3 against 4, 2; then 1 against 4, 2
    assert chosen.comparisons[0].tolist() == [1, 0, 1, 1]


def test_an_8_rank_2_trial_has_13_comparisons() -> None:
    found = judge("8-rank-2", [1, 2, 3, 4, 5, 6, 7, 8], [0, 1])
    assert found.comparisons.tolist() == [[1.0] * 13]
    assert (found.top_1[0], found.ordered[0], found.unordered[0]) == (1, 1, 1)


def test_shorter_trials_are_padded_behind_their_end() -> None:
    names = list("abcdefghi")
    references = np.array([[1, 2, -1], [3, 4, 5]])
    trials = Trials.build(names, ["2-choose-1", "3-rank-2"], np.array([0, 0]), references, np.array([[0, -1], [0, 1]]))
    pairs = TrialPairs.of(trials)
    found = credits_of(pairs, Measured(np.zeros(5), np.zeros(5), 0.0), lambda _: np.zeros(5, np.int64))
    assert np.isnan(found.comparisons).tolist() == [[False, True, True], [False, False, False]]


def test_distances_that_are_closer_than_their_errors_are_compared_by_their_ranks() -> None:
    close = [1.0, 1.0 + 1e-13]
    assert judge("2-choose-1", close, [1], 1e-12, [7, 3]).comparisons[0, 0] == 1
    assert judge("2-choose-1", close, [0], 1e-12, [7, 3]).comparisons[0, 0] == 0
    assert judge("2-choose-1", close, [0], 1e-12, [7, 7]).comparisons[0, 0] == 0.5
    assert judge("2-choose-1", close, [0], 1e-14, [7, 3]).comparisons[0, 0] == 1
    assert judge("2-choose-1", close, [0]).comparisons[0, 0] == 1


@given(display=displays(), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_ranks_alone_decide_where_nothing_is_sure(display: tuple[list[float], list[int]], seed: int) -> None:
    near, selected = display
    unsure = np.random.default_rng(seed).uniform(1, 1.1, len(near)).tolist()
    for kind in ("rank", "choose"):
        name = f"{len(near)}-{kind}-{len(selected)}"
        known, ranked = judge(name, near, selected), judge(name, unsure, selected, 0.1, [int(one) for one in near])
        for field in ("comparisons", "top_1", "ordered", "unordered"):
            np.testing.assert_array_equal(getattr(known, field), getattr(ranked, field))


def test_a_distance_that_is_not_a_number_is_settled_and_no_tie() -> None:
    assert judge("2-choose-1", [np.nan, 1.0], [0], 1e-12, [1, 2]).comparisons[0, 0] == 1


def test_distances_of_zero_are_tied() -> None:
    assert judge("2-choose-1", [0.0, 0.0], [0]).comparisons[0, 0] == 0.5

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.scoring.credit import credit_of
from simtool.scoring.distances import Measured
from simtool.tables.trials import Trials
from tests.scoring.judged import compared_pairs, some_trials


def judge(
    kind: str,
    near: list[float],
    selected: list[int],
    tolerance: float = 0.0,
    ranks: list[int] | None = None,
) -> list[float]:
    """The credit of one trial whose references lie at the given distances from the query."""
    count = parse_type(kind).n_reference
    names = [f"image {number}" for number in range(count + 1)]
    trials = Trials.build(names, [kind], np.array([0]), np.arange(1, count + 1)[None], np.array([selected]))
    compared = compared_pairs(trials)
    assert compared.pairs.first.tolist() == [0] * count
    place = compared.pairs.second - 1  # the reference of each pair with the query
    value = np.array(near)[place]

    def settle(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.where(wanted, np.array(ranks or [0] * count)[place], -1)

    found: list[float] = credit_of(compared, Measured(value, value, tolerance), settle).tolist()
    return found


@st.composite
def displays(draw: st.DrawFn) -> tuple[list[float], list[int]]:
    count = draw(st.integers(2, 6))
    near = [float(draw(st.integers(1, 3))) for _ in range(count)]
    selected = draw(st.permutations(range(count))).copy()[: draw(st.integers(1, count - 1))]
    return near, selected


@given(display=displays(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_ties_share_credit_whatever_their_position(display: tuple[list[float], list[int]], data: st.DataObject) -> None:
    near, selected = display
    kind = f"{len(near)}-rank-{len(selected)}"
    order = data.draw(st.permutations(range(len(near))))
    place = {old: new for new, old in enumerate(order)}
    found = judge(kind, near, selected)
    moved = judge(kind, [near[old] for old in order], [place[old] for old in selected])
    assert sorted(found) == sorted(moved)


@pytest.mark.parametrize("kind", ["2-choose-1", "8-rank-2", "8-choose-2", "5-rank-4"])
def test_a_model_that_ties_everything_has_half_credit_everywhere(kind: str) -> None:
    trial_type = parse_type(kind)
    found = judge(kind, [1.0] * trial_type.n_reference, list(range(trial_type.n_select)))
    assert found == [0.5] * trial_type.comparisons


def test_credit_comes_in_the_contracts_order() -> None:
    # 3 against 4, 1, 2 (as presented); then 1 against 4, 2
    assert judge("4-rank-2", [4, 1, 3, 2], [2, 1]) == [1, 0, 0, 1, 1]
    # 3 against 4, 2; then 1 against 4, 2
    assert judge("4-choose-2", [4, 1, 3, 2], [2, 1]) == [1, 0, 1, 1]


def test_an_8_rank_2_trial_has_13_comparisons() -> None:
    assert judge("8-rank-2", [1, 2, 3, 4, 5, 6, 7, 8], [0, 1]) == [1.0] * 13


def test_distances_that_are_closer_than_their_errors_are_compared_by_their_ranks() -> None:
    close = [1.0, 1.0 + 1e-13]
    assert judge("2-choose-1", close, [1], 1e-12, [7, 3]) == [1]
    assert judge("2-choose-1", close, [0], 1e-12, [7, 3]) == [0]
    assert judge("2-choose-1", close, [0], 1e-12, [7, 7]) == [0.5]
    assert judge("2-choose-1", close, [0], 1e-14, [7, 3]) == [1]
    assert judge("2-choose-1", close, [0]) == [1]


@given(display=displays(), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_ranks_alone_decide_where_nothing_is_sure(display: tuple[list[float], list[int]], seed: int) -> None:
    near, selected = display
    unsure = np.random.default_rng(seed).uniform(1, 1.1, len(near)).tolist()
    for kind in ("rank", "choose"):
        name = f"{len(near)}-{kind}-{len(selected)}"
        assert judge(name, near, selected) == judge(name, unsure, selected, 0.1, [int(one) for one in near])


def test_only_pairs_that_are_compared_with_each_other_are_settled() -> None:
    asked: list[int] = []
    trials = Trials.build(list("qabc"), ["3-choose-1"], np.array([0]), np.array([[1, 2, 3]]), np.array([[0]]))
    compared = compared_pairs(trials)

    def settle(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        asked.append(int(wanted.sum()))
        return np.zeros(3, np.int64)

    def found(*near: float) -> list[float]:
        value = np.array(near)[compared.pairs.second - 1]
        credit: list[float] = credit_of(compared, Measured(value, value, 1e-9), settle).tolist()
        return credit

    assert (found(1, 2, 2), asked) == ([1, 1], [])  # b and c are equally far, and not compared
    assert (found(2, 2, 3), asked) == ([0.5, 1], [2])


def test_comparisons_of_many_trials_are_judged_by_their_distances() -> None:
    trials = some_trials(400)
    compared, implied = compared_pairs(trials), Comparisons.of(trials)
    value = np.random.default_rng(0).integers(0, 4, len(compared.pairs)).astype(float)
    square = np.zeros((40, 40))
    square[compared.pairs.first, compared.pairs.second] = square[compared.pairs.second, compared.pairs.first] = value
    gap = square[implied.anchor, implied.far] - square[implied.anchor, implied.near]
    found = credit_of(compared, Measured(value, value, 0.0), lambda wanted: np.zeros(wanted.size, np.int64))
    np.testing.assert_array_equal(found, (np.sign(gap) + 1) / 2)


def test_a_distance_that_is_not_a_number_is_settled_and_no_tie() -> None:
    assert judge("2-choose-1", [np.nan, 1.0], [0], 1e-12, [1, 2]) == [1]


def test_distances_of_zero_are_tied() -> None:
    assert judge("2-choose-1", [0.0, 0.0], [0]) == [0.5]

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.designs import Choose, DesignError, Odd, Rank, TrialType, parse_type


@pytest.mark.parametrize(
    ("text", "comparisons", "chances"),
    [
        ("8-rank-2", 13, {"top_1": 1 / 8, "ordered": 1 / 56, "unordered": 1 / 28}),
        ("8-choose-2", 12, {"top_1": 1 / 4, "unordered": 1 / 28}),
        ("2-choose-1", 1, {"top_1": 1 / 2}),
        ("3-rank-1", 2, {"top_1": 1 / 3}),
        ("3-odd-1", 2, {"odd_one_out": 1 / 3}),
        ("4-odd-1", 6, {"odd_one_out": 1 / 3}),
    ],
)
def test_what_a_trial_type_implies(text: str, comparisons: int, chances: dict[str, float]) -> None:
    kind = parse_type(text)
    assert str(kind) == text
    assert kind.comparisons == comparisons
    assert {name: score.chance for name, score in kind.scores.items()} == chances


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8rank2",
        "8-rank-8",
        "2-choose-0",
        "1-choose-1",
        "8-pick-2",
        "129-rank-2",
        "999-rank-2",
        "²-rank-1",
        "٢-choose-1",
        "2-odd-1",
        "3-odd-2",
        "129-odd-1",
    ],
)
def test_an_impossible_trial_type_is_refused(text: str) -> None:
    with pytest.raises(DesignError, match="trial type"):
        parse_type(text)


def test_a_refusal_lists_the_designs() -> None:
    with pytest.raises(DesignError, match=r"'8-pick-2' is unknown; known are N-rank-K, N-choose-K, N-odd-1 \(for"):
        parse_type("8-pick-2")


def test_types_are_ordered_by_size_then_by_design() -> None:
    kinds = [Rank(8, 2), Choose(2, 1), Choose(8, 2), Rank(8, 1)]
    assert [str(kind) for kind in sorted(kinds)] == ["2-choose-1", "8-rank-1", "8-choose-2", "8-rank-2"]
    assert len({Rank(8, 2), Choose(8, 2), parse_type("8-rank-2")}) == 2


def comparisons(kind: TrialType, selected: list[int]) -> list[tuple[int, int]]:
    """The near and far reference of each comparison, for references numbered from 0 and the query after them."""
    count = kind.n_reference
    anchor, near, far = kind.compare(
        np.array([count], np.int32), np.arange(count, dtype=np.int32)[None], np.array([selected], np.int8)
    )
    assert (anchor == count).all()
    return list(zip(near[0].tolist(), far[0].tolist(), strict=True))


@given(st.integers(2, 9), st.data())
def test_comparisons_stand_in_the_contracts_order(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n - 1))
    selected = data.draw(st.permutations(range(n)))[:k]
    for design in (Rank, Choose):
        expected = [
            (choice, other)
            for rank, choice in enumerate(selected)
            for other in range(n)
            if other not in (selected[: rank + 1] if design is Rank else selected)
        ]
        assert comparisons(design(n, k), selected) == expected
        assert len(expected) == design(n, k).comparisons


@given(st.integers(3, 9), st.data())
def test_each_two_that_remain_are_nearer_to_each_other_than_the_odd_one_is_to_either(
    n: int, data: st.DataObject
) -> None:
    odd = data.draw(st.integers(0, n - 1))
    images = np.array([data.draw(st.permutations(range(n)))], np.int32)
    found = Odd(n, 1).compare(np.array([-1], np.int32), images, np.array([[odd]], np.int8))
    remaining = [image for place, image in enumerate(images[0].tolist()) if place != odd]
    expected = [(a, b, images[0, odd]) for a in remaining for b in remaining if a != b]
    assert list(zip(*(each[0].tolist() for each in found), strict=True)) == expected
    assert len(expected) == Odd(n, 1).comparisons


@given(st.integers(2, 6), st.data())
def test_chances_are_those_of_guessing(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n - 1))
    guesses = list(itertools.permutations(range(n), k))
    truth = guesses[0]
    expected = {
        "ordered": sum(guess == truth for guess in guesses) / len(guesses),
        "unordered": sum(set(guess) == set(truth) for guess in guesses) / len(guesses),
        "top_1": sum(guess[0] == truth[0] for guess in guesses) / len(guesses),
    }
    for name, score in Rank(n, k).scores.items():
        assert score.chance == pytest.approx(expected[name])
    expected["top_1"] = sum(guess[0] in truth for guess in guesses) / len(guesses)
    for name, score in Choose(n, k).scores.items():
        assert score.chance == pytest.approx(expected[name])


@pytest.mark.parametrize(("text", "expected"), [("4-rank-2", [9, 12, 10]), ("4-choose-2", [9, 12, 10])])
def test_trials_depend_through_the_query_and_two_choices(text: str, expected: list[int]) -> None:
    found = parse_type(text).key_images(np.array([9]), np.array([[10, 11, 12, 13]]), np.array([[2, 0]]))
    assert found.tolist() == [expected]


def test_odd_one_out_trials_depend_through_two_that_remain_and_the_odd_one() -> None:
    found = parse_type("4-odd-1").key_images(np.array([-1, -1]), np.array([[10, 11, 12, 13]] * 2), np.array([[2], [0]]))
    assert found.tolist() == [[10, 11, 12], [11, 12, 10]]


def test_the_first_reference_that_was_not_selected_stands_in_for_a_second_choice() -> None:
    found = Choose(3, 1).key_images(np.array([9, 9]), np.array([[10, 11, 12]] * 2), np.array([[2], [0]]))
    assert found.tolist() == [[9, 12, 10], [9, 10, 11]]

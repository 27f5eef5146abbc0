"""Taps divide the steps of a level into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simtool.models.flows.taps import Tap, pieces


def tap(first: int, last: int) -> Tap:
    return Tap(1, range(first, last + 1), lambda coupling: coupling.hidden)


def test_a_piece_is_taken_as_a_whole() -> None:
    assert pieces(8, [tap(3, 3), tap(2, 8)]) == [
        (range(1, 2), []),
        (range(2, 3), [1]),
        (range(3, 4), [0, 1]),
        (range(4, 9), [1]),
    ]
    assert pieces(5, []) == [(range(1, 6), [])]


@given(st.data())
def test_the_pieces_are_all_steps_in_order_and_each_tap_takes_its_own(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    bounds = data.draw(st.lists(st.tuples(st.integers(1, count), st.integers(1, count)), max_size=4))
    taps = [tap(min(pair), max(pair)) for pair in bounds]
    found = pieces(count, taps)
    assert [step for steps, _ in found for step in steps] == list(range(1, count + 1))
    for number, one in enumerate(taps):
        assert [step for steps, numbers in found if number in numbers for step in steps] == list(one.steps)

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from simtool.models.pca.workers import Workers


def library_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_results_come_in_order_from_several_threads() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def square(number: int) -> int:
        meeting.wait()  # passes only where three are at work at the same time
        return number**2

    with Workers(3) as workers:
        assert list(workers.map(square, range(6))) == [0, 1, 4, 9, 16, 25]


def test_the_library_is_alone_in_each_thread_and_gets_its_threads_back() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = library_threads()
    assert before
    with threadpool_limits(3, "blas"):
        with Workers(2) as workers:
            assert set(library_threads()) == {1}
            with workers.together():
                assert set(library_threads()) == {3}
            assert set(library_threads()) == {1}
        assert set(library_threads()) == {3}
    assert library_threads() == before


def test_a_failure_in_a_thread_is_raised() -> None:
    with Workers(2) as workers, pytest.raises(ZeroDivisionError):
        workers.each(lambda number: 1 / number, [1, 0, 2])


@given(st.integers(0, 1000), st.integers(1, 9))
def test_pieces_cover_a_range_once(length: int, count: int) -> None:
    workers = Workers(count)
    pieces = workers.pieces(length, least=10)
    assert [number for piece in pieces for number in range(length)[piece]] == list(range(length))
    assert len(pieces) <= count
    assert len(pieces) == 1 or min(piece.stop - piece.start for piece in pieces) >= 10

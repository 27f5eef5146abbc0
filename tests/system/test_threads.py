from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from simtool.system import threads
from simtool.system.threads import Workers, available_cores, in_threads, made_ahead, mapped, pieces_of


@pytest.mark.parametrize(("count", "least"), [(0, 1), (1, 1), (100, 1), (100, 7), (100, 1000)])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_worked_on_once(count: int, least: int, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: workers)
    done: list[int] = []
    in_threads(lambda start, stop: done.extend(range(start, stop)), count, least)
    assert sorted(done) == list(range(count))


def test_small_work_stays_in_this_thread() -> None:
    seen: set[int] = set()
    in_threads(lambda *_: seen.add(threading.get_ident()), 100, least=100)
    assert seen == {threading.get_ident()}


def test_a_failure_in_a_thread_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda start, _: 1 / (start - 40), 80)


@pytest.mark.parametrize("waiting", [1, 2, 50])
def test_results_come_in_order_and_few_items_are_taken_ahead(waiting: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    for count, result in enumerate(mapped(lambda item: item**2, items(), waiting)):
        assert result == count**2
        assert len(taken) <= count + waiting + 1
    assert taken == list(range(20))


def test_results_that_nobody_waits_for_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    begun, go = list[int](), threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        assert item == 0 or go.wait(60)
        return item

    with closing(mapped(work, range(1000), 900)) as results:
        assert next(results) == 0
        threading.Timer(0.05, go.set).start()
    assert len(begun) < 100


def test_only_the_cores_of_the_job_count() -> None:
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


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


def test_a_failure_in_a_worker_is_raised() -> None:
    with Workers(2) as workers, pytest.raises(ZeroDivisionError):
        workers.each(lambda number: 1 / number, [1, 0, 2])


@given(st.integers(0, 1000), st.integers(1, 9))
def test_pieces_cover_a_range_once(length: int, count: int) -> None:
    pieces = pieces_of(length, count, least=10)
    assert Workers(count).pieces(length, least=10) == pieces
    assert [number for piece in pieces for number in range(length)[piece]] == list(range(length))
    assert len(pieces) <= count
    assert len(pieces) == 1 or min(piece.stop - piece.start for piece in pieces) >= 10


def test_items_are_made_one_ahead_and_come_in_order() -> None:
    made = list[int]()

    def items() -> Iterator[int]:
        for item in range(5):
            made.append(item)
            yield item

    for item in made_ahead(items()):
        assert made == [*range(item + 1)] or made == [*range(min(item + 2, 5))]
    assert made == [*range(5)]


def test_a_failure_comes_after_the_items_before_it() -> None:
    found = list[float]()
    with pytest.raises(ZeroDivisionError):
        found.extend(made_ahead(1 / (2 - item) for item in range(5)))
    assert found == [0.5, 1]


def test_items_that_nobody_uses_are_not_made() -> None:
    rest = iter(range(100))
    with closing(made_ahead(rest)) as items:
        assert next(items) == 0
    assert next(rest) == 2

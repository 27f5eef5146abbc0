from __future__ import annotations

import os
import threading

import pytest

from simtool.system import threads
from simtool.system.threads import available_cores, in_threads


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


def test_only_the_cores_of_the_job_count() -> None:
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)

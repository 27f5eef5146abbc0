"""Two processes that need the same folder."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NoReturn

import pytest

from simtool.system.lock import LockedError, alone_in

WAYS = multiprocessing.get_context("spawn")


def no_locks(descriptor: int, operation: int) -> NoReturn:
    """Replaces flock: fails as on a file system without locks."""
    del descriptor, operation
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def hold(folder: Path, with_locks: bool, entered: Event, leave: Event) -> None:
    if not with_locks:
        setattr(fcntl, "flock", no_locks)  # noqa: B010
    with alone_in(folder, "fetch-cub"):
        entered.set()
        leave.wait()


def count(folder: Path, with_locks: bool, times: int) -> None:
    """Increment a number in a file. Increments are lost if two processes do this at the same time."""
    if not with_locks:
        setattr(fcntl, "flock", no_locks)  # noqa: B010
    for _ in range(times):
        with alone_in(folder, "counting"):
            number = int((folder / "number").read_text())
            time.sleep(0.0005)
            (folder / "number").write_text(str(number + 1))


@pytest.fixture(params=[True, False], ids=["with locks", "on a file system without locks"])
def with_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr("simtool.system.lock._LOOK", 0.01)
    return bool(request.param)


@contextmanager
def a_holder(folder: Path, with_locks: bool) -> Iterator[multiprocessing.process.BaseProcess]:
    entered, leave = WAYS.Event(), WAYS.Event()
    process = WAYS.Process(target=hold, args=(folder, with_locks, entered, leave))
    process.start()
    assert entered.wait(60)
    try:
        yield process
    finally:
        if process.is_alive():  # an event waits forever for a killed process that was waiting for it
            leave.set()
        process.join(60)


@pytest.mark.system
def test_the_second_is_told_who_holds_the_folder(tmp_path: Path, with_locks: bool) -> None:
    with (
        a_holder(tmp_path / "made", with_locks) as process,
        pytest.raises(LockedError, match=rf"in use by fetch-cub \(process {process.pid} on .*, since 2"),
        alone_in(tmp_path / "made", "fetch-cub", patience=0.05),
    ):
        pass
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.system
def test_the_second_waits_for_the_first_and_gets_the_lock_of_one_that_was_killed(
    tmp_path: Path, with_locks: bool
) -> None:
    told: list[str] = []
    with a_holder(tmp_path, with_locks) as process:
        process.kill()
        process.join(60)
        with alone_in(tmp_path, "fetch-cub", patience=30, tell=told.append):
            pass
    assert len(told) <= 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.system
def test_processes_at_once_lose_nothing(tmp_path: Path, with_locks: bool) -> None:
    (tmp_path / "number").write_text("0")
    processes = [WAYS.Process(target=count, args=(tmp_path, with_locks, 5)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert (tmp_path / "number").read_text() == "20"


@pytest.fixture
def held_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock file of a process on another machine, on a file system without locks."""
    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr("simtool.system.lock._LOOK", 0.01)
    monkeypatch.setattr("simtool.system.lock._STALE", 0.4)
    left = tmp_path / ".simtool.lock.held"
    left.write_text('{"pid": 1, "host": "elsewhere", "purpose": "fit-pca", "since": "then", "job": "77"}')
    return left


#: The seconds by which the clock of the other machine is ahead.
CLOCKS = (-600.0, 0.0, 600.0)


@pytest.mark.parametrize("ahead", CLOCKS)
def test_a_lock_that_another_machine_touches_is_kept_whatever_its_clock_shows(
    held_elsewhere: Path, ahead: float
) -> None:
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(0.05):
            os.utime(held_elsewhere, (time.time() + ahead,) * 2)

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        with (
            pytest.raises(LockedError, match=r"fit-pca \(process 1 on elsewhere, SLURM job 77, since then\)"),
            alone_in(held_elsewhere.parent, "fit-pca", patience=0.6),
        ):
            pass
    finally:
        ended.set()
        toucher.join()


@pytest.mark.parametrize("ahead", CLOCKS)
def test_a_lock_that_another_machine_has_left_is_taken_over_whatever_its_clock_shows(
    held_elsewhere: Path, ahead: float
) -> None:
    os.utime(held_elsewhere, (time.time() + ahead,) * 2)
    started = time.monotonic()
    with alone_in(held_elsewhere.parent, "fit-pca", patience=0):
        assert time.monotonic() - started > 0.4
    assert list(held_elsewhere.parent.iterdir()) == []


def test_an_empty_or_damaged_lock_file_that_nobody_holds_is_no_obstacle(tmp_path: Path) -> None:
    for content in (b"", b"{", b"[1]", b'{"pid": "x"}', b"\xff", b"[" * 4096):
        (tmp_path / ".simtool.lock").write_bytes(content)
        with alone_in(tmp_path, "fit-pca", patience=0):
            pass

"""Two processes that need the same folder."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
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


def test_a_lock_that_another_machine_left_long_ago_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    left = tmp_path / ".simtool.lock.held"
    left.write_text('{"pid": 1, "host": "elsewhere", "purpose": "fit-pca", "since": "then", "job": "77"}')
    with (
        pytest.raises(LockedError, match=r"fit-pca \(process 1 on elsewhere, SLURM job 77, since then\)"),
        alone_in(tmp_path, "fit-pca", patience=0),
    ):
        pass
    os.utime(left, (time.time() - 600, time.time() - 600))
    with alone_in(tmp_path, "fit-pca", patience=0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_or_damaged_lock_file_that_nobody_holds_is_no_obstacle(tmp_path: Path) -> None:
    for content in (b"", b"{", b"[1]", b'{"pid": "x"}', b"\xff", b"[" * 4096):
        (tmp_path / ".simtool.lock").write_bytes(content)
        with alone_in(tmp_path, "fit-pca", patience=0):
            pass

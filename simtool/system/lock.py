"""Locks on folders, so that only one process at a time works in a folder.

The lock is a file in the folder that the holder keeps locked (flock); it ends with the process. Some network file
systems have no such locks. There the existence of a file is the lock, and its holder touches it regularly. A process
that waits watches the file: if it is not touched for two minutes, its holder has ended. The time of the last touch is
not compared to a clock, because the clocks of two machines can differ by minutes.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from simtool.errors import SimtoolError

__all__ = ["LockedError", "alone_in"]

#: The file name of the lock.
NAME = ".simtool.lock"
#: Seconds without a touch after which a lock file that is watched is abandoned, on file systems without locks.
_STALE = 120.0
#: Seconds between two touches, and between two checks of a lock of another process.
_TOUCH, _LOOK = 15.0, 0.2
_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


class LockedError(SimtoolError):
    """Another process works in the folder; the message names it.

    The exit code is EX_TEMPFAIL of sysexits.h: the same command can succeed later.
    """

    exit_code = 75


@dataclass(frozen=True)
class _Holder:
    """The process that holds a lock: its id, machine, command, start time (UTC) and SLURM job (None without SLURM)."""

    pid: int
    host: str
    purpose: str
    since: str
    job: str | None

    @classmethod
    def me(cls, purpose: str) -> _Holder:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return cls(os.getpid(), socket.gethostname(), purpose, now, os.environ.get("SLURM_JOB_ID"))

    @classmethod
    def of(cls, file: Path) -> _Holder | None:
        """Read the holder from a lock file; None if the file names no holder (yet)."""
        try:
            return cls(**json.loads(file.read_bytes()[:4096]))
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    @property
    def is_here(self) -> bool:
        """Whether the process runs or ran on this machine."""
        return self.host == socket.gethostname() and isinstance(self.pid, int)

    @property
    def gone(self) -> bool:
        """Whether the process, which ran on this machine, has ended."""
        try:
            os.kill(self.pid, 0)
        except (OSError, OverflowError) as failure:
            return isinstance(failure, ProcessLookupError)
        return False

    def __str__(self) -> str:
        job = f", SLURM job {self.job}" if self.job else ""
        return f"{self.purpose} (process {self.pid} on {self.host}{job}, since {self.since})"


@contextmanager
def alone_in(
    folder: Path, purpose: str, patience: float | None = None, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Lock a folder while the body runs.

    Args:
        folder: created if missing; links to it are followed.
        purpose: the command of this process, for messages of other processes: ``fetch-cub``.
        patience: seconds to wait for another process; None waits without limit.
        tell: called once with a message about the process that holds the lock.

    Raises:
        LockedError: another process still holds the lock after ``patience`` seconds; the message names it.
        OSError: the folder cannot be created or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(os.path.realpath(folder)) / NAME
    held = _wait(file, folder, _Holder.me(purpose), patience, tell)
    try:
        yield
    finally:
        held.release()


def _wait(file: Path, folder: Path, me: _Holder, patience: float | None, tell: Callable[[str], None] | None) -> _Held:
    started, watch = time.monotonic(), _Watch()
    while (held := _take(file, me, watch)) is None:
        who = str(_Holder.of(file) or _Holder.of(file.with_name(f"{NAME}.held")) or "another process")
        if patience is not None and time.monotonic() - started >= patience and not watch.undecided:
            raise LockedError(f"{folder} is in use by {who}: wait until it ends, or give another folder")
        if tell is not None:
            tell(f"{folder} is in use by {who}; waiting for it to end")
            tell = None
        time.sleep(_LOOK)
    return held


class _Watch:
    """The touches of a lock file of another machine, as this process sees them.

    Attributes:
        undecided: whether it is still open if the holder has ended.
    """

    def __init__(self) -> None:
        self.undecided = False
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def is_abandoned(self, found: os.stat_result) -> bool:
        """Look at the file once more; return whether it was not touched for too long since the first look."""
        now, seen = time.monotonic(), (found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            # The first look tells nothing; a later change shows that the holder is alive.
            self.undecided = self._seen is None
            self._seen, self._since = seen, now
        return now - self._since > _STALE


class _Held:
    """A lock of this process."""

    def __init__(self, file: Path, descriptor: int, touching: bool) -> None:
        self._file, self._descriptor = file, descriptor
        self._released = threading.Event()
        if touching:
            threading.Thread(target=self._touch, daemon=True).start()

    def _touch(self) -> None:
        while not self._released.wait(_TOUCH):
            with suppress(OSError):
                os.utime(self._descriptor)

    def release(self) -> None:
        self._released.set()
        # Removed before it is unlocked: a process that locks a removed file tries again (see _is_at).
        with suppress(OSError):
            self._file.unlink()
        os.close(self._descriptor)


def _take(file: Path, me: _Holder, watch: _Watch) -> _Held | None:
    """Take the lock; None if another process holds it."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:  # another process removed the empty folder
        file.parent.mkdir(parents=True, exist_ok=True)
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        os.close(descriptor)
        if isinstance(failure, BlockingIOError):
            return None
        if failure.errno in _UNSUPPORTED:
            return _take_by_name(file, me, watch)
        raise
    if not _is_at(descriptor, file):
        os.close(descriptor)
        return None
    _write(descriptor, me)
    return _Held(file, descriptor, touching=False)


def _is_at(descriptor: int, file: Path) -> bool:
    """Return whether the open file still has its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _take_by_name(file: Path, me: _Holder, watch: _Watch) -> _Held | None:
    """Take the lock on a file system without locks: the first process that creates a link with the name holds it."""
    name, own = file.with_name(f"{file.name}.held"), file.with_name(f"{file.name}.{me.host}.{me.pid}")
    _clear_left_behind(name, own.with_name(f"{own.name}.stale"), watch)
    descriptor = os.open(own, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _write(descriptor, me)
        os.link(own, name)
    except OSError as failure:
        os.close(descriptor)
        if isinstance(failure, FileExistsError):
            return None
        raise
    finally:
        own.unlink()
        file.unlink(missing_ok=True)
    return _Held(name, descriptor, touching=True)


def _clear_left_behind(name: Path, aside: Path, watch: _Watch) -> None:
    """Remove the lock of a process that has ended."""
    with suppress(FileNotFoundError):
        found, holder = name.stat(), _Holder.of(name)
        if holder and holder.is_here:
            watch.undecided = False
            if not holder.gone:
                return
        elif not watch.is_abandoned(found):
            return
        name.rename(aside)
        if not os.path.samestat(aside.stat(), found):  # another process was faster; this is its lock
            with suppress(FileExistsError):
                os.link(aside, name)
        aside.unlink()


def _write(descriptor: int, me: _Holder) -> None:
    os.ftruncate(descriptor, 0)
    # The name of the holder is for messages; a lock without it on a full disk is a lock.
    with suppress(OSError):
        os.pwrite(descriptor, json.dumps(asdict(me)).encode(), 0)

"""Signals that ask a training to save and stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from simtool.training.errors import TrainingError

__all__ = ["EXIT_CODE", "Preempted", "Preemption"]

#: Of a command that has saved its state and wants to be run again.
EXIT_CODE = 85
#: Seconds within which signals of a kind are one: a scheduler may send it to a process both itself and through srun.
_AT_ONCE = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Preempted(TrainingError):  # noqa: N818 - it went as it should
    """A training has saved its state and stopped, because it was asked to; the same command goes on with it."""

    exit_code = EXIT_CODE


class Preemption:
    """While it is entered, the first SIGTERM, SIGUSR1 or SIGINT is a request; a later one of its kind acts as ever.

    A scheduler sends SIGTERM, or SIGUSR1 ahead of a time limit; a person presses Ctrl-C, which is SIGINT.

    Attributes:
        requested: the name of the signal that came; None while there was none.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._arrived: dict[int, float] = {}
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers, and only it receives signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _request(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.requested = self.requested or signal.Signals(number).name
        now = time.monotonic()
        if now - self._arrived.setdefault(number, now) > _AT_ONCE:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)

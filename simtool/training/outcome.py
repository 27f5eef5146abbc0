"""How a training ends: its result, its errors, and the signals that stop it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Literal, Self

from simtool.errors import SimtoolError

__all__ = ["EXIT_CODE", "Diverged", "Preempted", "Preemption", "Reason", "Result", "TrainingError", "WorkerLost"]

#: The exit code of a command that has saved its training and must run again.
EXIT_CODE = 85
#: The exit code of a command whose training lost another worker: EX_UNAVAILABLE of sysexits.h.
LOST_CODE = 69
#: Seconds within which several SIGINT count as one: srun may send them to a process that got one from the terminal.
_AT_ONCE = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)

#: Why a training is complete: all epochs are done, no epoch was better for a while, or its time is up.
Reason = Literal["epochs", "early stop", "time"]


@dataclass(frozen=True)
class Result:
    """The result of a training. The task's variables hold the weights to keep.

    Attributes:
        reason: why the training ended; None if it diverged.
        epochs: complete epochs.
        steps: steps over all runs.
        new_steps: steps of this run; 0 if the training was complete before.
        seconds: training time over all runs.
        best_epoch: the epoch whose weights are kept; 0 if no epoch was evaluated, then the last weights are kept.
        best_value: the value of the task's criterion at that epoch.
        history: one row for each epoch, as in ``log.csv``.
    """

    reason: Reason | None
    epochs: int
    steps: int
    new_steps: int
    seconds: float
    best_epoch: int
    best_value: float
    history: list[dict[str, Any]]


class TrainingError(SimtoolError):
    """A training cannot start or continue."""


class Diverged(TrainingError):  # noqa: N818 - the field's word for it
    """A training diverged.

    Attributes:
        result: not None if an earlier epoch was good; then the task's variables hold the weights of that epoch.
    """

    def __init__(self, message: str, result: Result | None = None) -> None:
        super().__init__(message)
        self.result = result


class Preempted(TrainingError):  # noqa: N818 - this is no failure
    """A signal stopped a training, which saved its state first. The same command resumes it."""

    exit_code = EXIT_CODE


class WorkerLost(TrainingError):  # noqa: N818 - this process did not fail
    """Another worker of a training ended. All workers resume from the last checkpoint when they are started again."""

    exit_code = LOST_CODE


class Preemption:
    """A context in which the first SIGTERM, SIGUSR1 or SIGINT is a request to save and stop.

    A scheduler sends SIGTERM, or SIGUSR1 before a time limit, and may repeat it: that changes nothing, since saving may
    take a while and SIGKILL follows anyway. Ctrl-C sends SIGINT; a second Ctrl-C acts as it does outside.

    Attributes:
        requested: the name of the first signal; None before one arrives.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._interrupted_at: float | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers, and only the main thread receives signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _request(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.requested = self.requested or signal.Signals(number).name
        if number != signal.SIGINT:
            return
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
        elif now - self._interrupted_at > _AT_ONCE:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)

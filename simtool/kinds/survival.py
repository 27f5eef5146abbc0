"""Whether this program survives what a library does with a damaged file: it is tried in a child process first."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress

__all__ = ["survives"]


def survives(step: Callable[[], object], seconds: int = 5) -> bool:
    """Take a step in a copy of this process, and say whether the copy lived.

    Exceptions are no matter: this process will meet them when it takes the step itself.

    Args:
        step: what a library might crash or hang at.
        seconds: how long it may take.
    """
    child = os.fork()
    if not child:
        _take(step, seconds)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def _take(step: Callable[[], object], seconds: int) -> None:
    """Take the step and end this process, silently."""
    try:
        faulthandler.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        with suppress(BaseException):
            step()
    finally:
        os._exit(0)

"""The command line, or the call in Python, that runs a stage; light enough to import for ``--help``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from os import PathLike
from typing import ParamSpec, TypeVar

from simtool.errors import FileError, SimtoolError, system_reason

__all__ = ["CALLED", "Terminated", "api", "command", "invocation"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The first word of a recorded call begins with this.
CALLED = "stages."

_arguments: ContextVar[tuple[str, ...]] = ContextVar("arguments", default=())


class Terminated(SystemExit):
    """A signal asked this process to end; the exit code is 128 plus the number of the signal."""


@contextmanager
def invocation(arguments: Sequence[str]) -> Iterator[None]:
    """Use a command line as the provenance of every file that is written inside."""
    token = _arguments.set(tuple(arguments))
    try:
        yield
    finally:
        _arguments.reset(token)


def command() -> tuple[str, ...]:
    """The command line or call that is recorded now; empty outside of both."""
    return _arguments.get()


def api(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Check the types of a call's arguments and record it as provenance, unless a command line is recorded already.

    The record is a list of texts: ``["stages.score", "tables=['a.parquet']", "trials='t.parquet'"]``. An object in
    memory is recorded by its type. A failure of the system becomes a :class:`~simtool.errors.FileError`.
    """

    @wraps(function)
    def recorded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        if command():
            return function(*args, **kwargs)
        from inspect import signature

        from simtool.stages.arguments import check_arguments

        given = {**signature(function).bind_partial(*args).arguments, **kwargs}
        check_arguments(function, given)
        words = [f"{name}={_spelled(value)}" for name, value in given.items()]
        with invocation([f"{CALLED}{function.__name__}", *words]):
            try:
                return function(*args, **kwargs)
            except OSError as failure:
                if isinstance(failure, SimtoolError) or not failure.strerror:
                    raise
                raise FileError(system_reason(failure)) from failure

    return recorded


def _spelled(value: object) -> str:
    """An argument as text."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelled, value))}]"
    if isinstance(value, str | PathLike):
        return repr(str(value))
    return str(value) if value is None or isinstance(value, bool | int | float) else f"<{type(value).__name__}>"

"""The command line, or the call in Python, that runs a stage; light enough to import for ``--help``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from os import PathLike
from typing import Any, ParamSpec, TypeVar

from simtool.errors import FileError, SimtoolError, system_reason

__all__ = ["CALLED", "Call", "Terminated", "api", "command", "first_call", "invocation"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The first word of a recorded call begins with this.
CALLED = "stages."

_arguments: ContextVar[tuple[str, ...]] = ContextVar("arguments", default=())
#: Whether a call of a stage is returned by :func:`first_call`, and not made.
_held: ContextVar[bool] = ContextVar("held", default=False)


@dataclass(frozen=True)
class Call:
    """A call of a stage that has not been made. It can be pickled, for another process.

    Attributes:
        function: of ``simtool.stages``.
        arguments: by name.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Any:
        """Make the call."""
        return self.function(**self.arguments)


class _Called(BaseException):
    """Ends the program at its first call of a stage."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


def first_call(program: Callable[[], object]) -> Call | None:
    """Run a program up to its first call of a stage; return the call, or None if the program ends without one."""
    token = _held.set(True)
    try:
        program()
    except _Called as found:
        return found.call
    finally:
        _held.reset(token)
    return None


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
        if _held.get():
            raise _Called(Call(recorded, given))
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

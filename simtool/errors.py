"""Errors that speak to people: what is wrong, where (file, row, id), what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import ENOENT

__all__ = [
    "LONGEST",
    "FileError",
    "SimtoolError",
    "UsageError",
    "clipped",
    "first_line",
    "likeliest",
    "listed",
    "system_reason",
    "wrong_usage",
]

#: Characters of a message.
LONGEST = 1000


class SimtoolError(Exception):
    """A failure whose message is one line for the person at the terminal.

    Subclasses live beside the code that raises them. The command line prints the message
    without a traceback and exits with ``exit_code``. Of a message that a long id, name or value in a file has made
    too long to read, the beginning and the end are kept.

    Attributes:
        exit_code: 1 for a failure; another one for an end that a script should tell from failures and from success.
    """

    exit_code: int = 1

    def __str__(self) -> str:
        message = super().__str__()
        return message if len(message) <= LONGEST else f"{message[: LONGEST - 255]} ... {message[-250:]}"


class UsageError(SimtoolError):
    """Options or arguments that are wrong together, or a value that an option does not take."""

    exit_code = 2


@contextmanager
def wrong_usage() -> Iterator[None]:
    """Make every failure in a block, or in a decorated function, one of wrong usage.

    It is for code that looks a value of an option up: the split, the column or the layer of that name.
    """
    try:
        yield
    except SimtoolError as failure:
        failure.exit_code = UsageError.exit_code
        raise


class FileError(SimtoolError, OSError):
    """The system refuses to read or write a file: the disk is full, a permission is missing."""


def system_reason(failure: OSError) -> str:
    """The file and the reason of a failure of the system."""
    reason = "no such file or folder" if failure.errno == ENOENT else f"{failure.strerror}"
    return reason if failure.filename is None else f"{failure.filename}: {reason}"


def first_line(failure: BaseException, most: int = 200) -> str:
    """The first line of an exception's message, at most ``most`` characters of it; without a message, its type."""
    lines = (line.strip() for line in str(failure).splitlines())
    return next((line[:most] for line in lines if line), type(failure).__name__)


def clipped(text: object, most: int = 200) -> str:
    """The beginning of a long text, so that a message stays one line."""
    shown = str(text)
    return shown if len(shown) <= most else f"{shown[:most]}..."


def likeliest(value: str, known: Iterable[str]) -> str:
    """The known name that a wrong name is most like, for the end of a message; empty if none is like it.

    A name that begins with the wrong name is like it, too, if that has three letters or more.
    """
    import difflib

    names = list(known)
    longer = [name for name in names if len(value) > 2 and name.casefold().startswith(value.casefold())]
    near = difflib.get_close_matches(value, names, 1) or longer
    return f" (did you mean {near[0]}?)" if near else ""


def listed(names: Iterable[object], most: int = 3) -> str:
    """Name the first few of many: ``a, b, c and 7 more``; with semicolons if a name holds a comma."""
    items = [clipped(name) for name in names]
    shown = ("; " if any(", " in item for item in items[:most]) else ", ").join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more"

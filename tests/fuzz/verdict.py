"""Whether the answer to an input is right."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

from simtool.errors import LONGEST, SimtoolError
from tests.fuzz.case import Door, Made
from tests.fuzz.values import NEWLINE

__all__ = ["complaint_about", "verdict"]

#: Texts that a readable message never contains.
_LEAKS = re.compile(r"<class '|<\w+[^>]* object at 0x|Traceback|unexpected error|\bNone of\b.*\bare in\b")


def verdict(door: Door, made: Made) -> str | None:
    """Read an input and judge the answer; None if it is right, otherwise a description of the error."""
    try:
        with warnings.catch_warnings(record=True) as warned:
            found = door.read(made)
    except SimtoolError as failure:
        return _of_error(made, str(failure)) or _of_warnings(warned)
    except OSError as failure:
        return _of_os_error(made, failure) or _of_warnings(warned)
    except Exception as failure:
        if isinstance(failure, door.refusals):
            return complaint_about(str(failure))
        where = failure.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
        return f"{type(failure).__name__}: {str(failure)[:200]!r} at {place}"
    if wrong := _of_warnings(warned):
        return wrong
    wrong = made.judge(found)
    return None if wrong is None else f"wrong answer: {wrong}"


def _of_error(made: Made, message: str) -> str | None:
    if made.neutral:
        return f"refused although it is faithful: {message[:300]}"
    named = {*made.names} or {made.path.name, *(file.name for file in made.files)}
    if made.path.is_dir() and not made.names:
        named |= {file.name for file in made.path.rglob("*")}
    if not any(name in message for name in named):
        return f"names no file: {message[:300]}"
    return complaint_about(_without_quotes(message, made))


def _without_quotes(message: str, made: Made) -> str:
    """A message without the newlines that it quotes from the input, which are escaped when it is printed."""
    if "\n" not in message:
        return message
    files = [made.path] if made.path.is_file() else [file for file in made.path.rglob("*") if file.is_file()]
    contents = b"".join(file.read_bytes() for file in files)
    return re.sub(
        r"(?s).?.?\n.?.?", lambda found: found[0] * (found[0].encode("utf-8", "surrogatepass") not in contents), message
    )


def _of_os_error(made: Made, failure: OSError) -> str | None:
    if made.neutral:
        return f"refused although it is faithful: {failure}"
    if failure.filename is None or not failure.strerror:
        return f"OSError without a file name: {str(failure)[:300]!r}"
    return None


def complaint_about(message: str) -> str | None:
    """The error of a message; None if it is one readable line of bounded length."""
    if "\n" in message.replace(NEWLINE, ""):
        return f"several lines: {message[:300]!r}"
    if len(message) > LONGEST + len("error: "):
        return f"{len(message):,} characters: {message[:200]}…{message[-100:]}"
    if not message.strip():
        return "an empty message"
    return f"leaks an object: {message[:300]}" if _LEAKS.search(message) else None


def _of_warnings(warned: Sequence[warnings.WarningMessage]) -> str | None:
    return f"warning: {warned[0].category.__name__}: {str(warned[0].message)[:200]}" if warned else None

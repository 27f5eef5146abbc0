"""The one place that talks to the terminal.

Results go to standard output. Notes, warnings and progress go to standard error, so that a result
can be piped on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from tqdm import tqdm

__all__ = ["Progress", "error", "note", "progress", "result", "result_text", "warn"]

#: Seconds between two lines of progress where standard error is not a terminal.
LINE_INTERVAL = 10.0


class Progress(Protocol):
    """What a long step reports to: ``advance(n)`` after ``n`` more units are done."""

    def advance(self, amount: int = 1) -> None:
        """Say that ``amount`` more units are done."""


@cache
def _console(stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def result(renderable: RenderableType) -> None:
    """Print a rich renderable to standard output."""
    _console(stderr=False).print(renderable, soft_wrap=False)


def result_text(text: str) -> None:
    """Print plain text to standard output exactly as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def note(text: str) -> None:
    """Say in one line what a stage does."""
    _console(stderr=True).print(text, markup=False)


def warn(text: str) -> None:
    """Say in one line what the person should know but need not stop for."""
    _say("warning", "yellow", text)


def error(text: str) -> None:
    """Say in one line why the command failed."""
    _say("error", "bold red", text)


def _say(kind: str, style: str, text: str) -> None:
    from rich.text import Text

    _console(stderr=True).print(Text.assemble((f"{kind}: ", style), text))


@contextmanager
def progress(description: str, total: int | None, unit: str = "it", scale: bool = False) -> Iterator[Progress]:
    """Show how far a long step is, on standard error.

    Args:
        description: what is being done, in a few words.
        total: how many units there are; None where nobody knows.
        unit: the name of a unit, for example ``images`` or ``B``.
        scale: print large numbers with SI prefixes (for bytes).

    Yields:
        An object to call ``advance(n)`` on. A bar on a terminal; elsewhere a line every
        ten seconds, and nothing for steps that are shorter.
    """
    if not sys.stderr.isatty():
        yield _Lines(description, total, unit)
        return
    from tqdm import tqdm

    with tqdm(desc=description, total=total, unit=unit, unit_scale=scale, leave=False, dynamic_ncols=True) as bar:
        yield _Bar(bar)


class _Bar:
    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar

    def advance(self, amount: int = 1) -> None:
        self._bar.update(amount)


class _Lines:
    def __init__(self, description: str, total: int | None, unit: str) -> None:
        self._description, self._total, self._unit = description, total, unit
        self._done = 0
        self._started = self._said = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._said < LINE_INTERVAL:
            return
        self._said = now
        rate = self._done / (now - self._started)
        of_total = "" if self._total is None else f" of {self._total:,} ({self._done / max(self._total, 1):.0%})"
        note(f"{self._description}: {self._done:,}{of_total} {self._unit}, {rate:,.1f} {self._unit}/s")

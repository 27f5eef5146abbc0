"""Output on the terminal.

Results go to standard output. Notes, warnings and progress go to standard error, so that a result can be piped.
"""

from __future__ import annotations

import io
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from simtool.text import duration, printable, scaled

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from tqdm import tqdm

__all__ = ["Progress", "error", "note", "progress", "quiet", "result", "result_facts", "result_text", "warn"]

#: Seconds between two lines of progress where standard error is not a terminal.
LINE_INTERVAL = 10.0
#: Units per second below which a line of progress states units per minute.
SLOW = 0.2

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@cache
def _console(stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)


def result(renderable: RenderableType) -> None:
    """Print a rich renderable to standard output.

    Characters that would act on the terminal, or that the encoding of standard output lacks, are printed as escapes.
    In a file or a pipe, no line ends in spaces.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = _console(stderr=False)
    if console.is_terminal:
        console.print(_Harmless(renderable), soft_wrap=False)
        return
    with console.capture() as printed:
        console.print(_Harmless(renderable), soft_wrap=False)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in printed.get().splitlines())


def result_text(text: str) -> None:
    """Print plain text to standard output as it is: the content of a file, or text that is safe.

    If the encoding of standard output lacks a character, the whole text is printed as UTF-8, as in a file.
    """
    lines = text if text.endswith("\n") else text + "\n"
    try:
        lines.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        sys.stdout.flush()
        sys.stdout.buffer.write(lines.encode("utf-8", "backslashreplace"))
    else:
        sys.stdout.write(lines)


def result_facts(title: str, facts: Sequence[tuple[str, str]], *, fold: bool = False) -> None:
    """Print a title, and label and text of each fact in two columns, to standard output.

    Characters that would act on the terminal are printed as escapes. With ``fold``, a text continues below its
    beginning where the terminal ends; a path or another word without spaces stays whole.
    """
    width = max(len(label) for label, _ in facts)
    result_text(printable(title))
    for label, text in facts:
        start, line = f"  {label:<{width}}  ", printable(text)
        result_text(printable(start) + (_folded(line, len(start)) if fold else line))


def _folded(text: str, indent: int) -> str:
    """A text in lines as wide as the terminal, all but the first indented."""
    room = max(_console(stderr=False).width - indent, 20)
    return f"\n{' ' * indent}".join(textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence notes and progress inside the ``with`` block. Warnings and results are printed as before.

    Example:
        >>> from simtool import console, stages
        >>> with console.quiet():  # doctest: +SKIP
        ...     report = stages.report("outcomes.parquet")
    """
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def note(text: str) -> None:
    """Print one line about the running stage to standard error."""
    if not _quiet.get():
        _print(printable(text))


def warn(text: str) -> None:
    """Print a warning of one line to standard error."""
    _say("warning", "yellow", text)


def error(text: str) -> None:
    """Print the reason of a failure in one line to standard error."""
    _say("error", "bold red", text)


def _say(kind: str, style: str, text: str) -> None:
    from rich.text import Text

    _print(Text.assemble((f"{kind}: ", style), printable(text)))


def _print(line: RenderableType) -> None:
    """Print a line to standard error; a bar of progress makes room for it."""
    with _apart_from_bars():
        _console(stderr=True).print(line)


def _apart_from_bars() -> AbstractContextManager[None]:
    if "tqdm" not in sys.modules:
        return nullcontext()
    from tqdm import tqdm

    return tqdm.external_write_mode(file=sys.stderr)


class _Harmless:
    """A renderable whose text cannot act on the terminal."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for segment in console.render(self._renderable, options):
            yield segment if segment.control else Segment(printable(segment.text, keep="\n"), segment.style)


class Progress:
    """The progress of a long step: a line every ten seconds."""

    def __init__(self, description: str, total: int | None, unit: str, scale: bool, done: int) -> None:
        self._description, self._total, self._unit, self._scale = description, total, unit, scale
        self._before = self._done = done
        self._started = self._said = time.monotonic()
        self._running: tuple[float, int] | None = None

    def advance(self, amount: int = 1) -> None:
        """Report that ``amount`` more units are done."""
        self._done += amount
        now = time.monotonic()
        if self._running is None:
            self._running = now, self._done
        if now - self._said < LINE_INTERVAL:
            return
        self._said = now
        speed = self._speed(now)
        at = f"{self._amount(speed)}/s" if speed >= SLOW else f"{self._amount(60 * speed)}/min"
        if self._total is None:
            note(f"{self._description}: {self._amount(self._done)}, {at}")
            return
        share = f"{self._done / max(self._total, 1):.0%}"
        left = f", {duration((self._total - self._done) / speed)} left" if self._total > self._done and speed else ""
        note(f"{self._description}: {self._amount(self._done, self._total)}, {share}, {at}{left}")

    def _speed(self, now: float) -> float:
        """Units per second, without the first report: it takes longer, because the step starts up before it."""
        started, before = self._started, self._before
        if self._running is not None and self._running[0] < now:
            started, before = self._running
        return (self._done - before) / (now - started)

    def describe(self, description: str) -> None:
        """Change the description."""
        self._description = description

    def _amount(self, *amounts: float) -> str:
        """Amounts with their unit: ``2,947 of 11,788 images``, ``301 MB of 1.15 GB``."""
        if self._scale:
            return " of ".join(scaled(amount, self._unit) for amount in amounts)
        return (
            " of ".join(f"{amount:,.{1 if amount % 1 and amount < 100 else 0}f}" for amount in amounts)
            + f" {self._unit}"
        )


class _Bar(Progress):
    """The progress as a bar on a terminal."""

    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar

    def advance(self, amount: int = 1) -> None:
        self._bar.update(amount)

    def describe(self, description: str) -> None:
        self._bar.set_description(description, refresh=False)


@contextmanager
def progress(
    description: str, total: int | None, unit: str = "it", scale: bool = False, done: int = 0
) -> Iterator[Progress]:
    """Show the progress of a long step on standard error.

    Args:
        description: of the step, in a few words.
        total: the number of units; None where it is unknown.
        unit: the name of a unit, for example ``images`` or ``B``.
        scale: print large numbers with SI prefixes (for bytes).
        done: units that an earlier run has done.

    Yields:
        An object with ``advance(n)``. It shows a bar on a terminal; elsewhere a line every ten seconds, with the time
        left, so that a shorter step prints nothing.
    """
    if _quiet.get() or not sys.stderr.isatty():
        yield Progress(description, total, unit, scale, done)
        return
    from tqdm import tqdm

    with tqdm(
        desc=description, total=total, unit=unit, unit_scale=scale, initial=done, leave=False, dynamic_ncols=True
    ) as bar:
        yield _Bar(bar)

"""What every stage does around its work: say what it read and wrote, time it, give its tables their provenance."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from simtool import console
from simtool.stages.places import Folder, Place, TableFile, check_places, check_spared
from simtool.tables.provenance import Provenance

if TYPE_CHECKING:
    from simtool.tables.images import Images

__all__ = ["Folder", "Place", "Stage", "TableFile", "Terminated", "invocation", "stage"]

_arguments: ContextVar[tuple[str, ...]] = ContextVar("arguments", default=())


class Terminated(SystemExit):
    """Somebody asked this process to end, by a signal; its code is 128 and the signal's number."""


@contextmanager
def invocation(arguments: Sequence[str]) -> Iterator[None]:
    """Remember the command line as it was typed, for the provenance of what is written inside."""
    token = _arguments.set(tuple(arguments))
    try:
        yield
    finally:
        _arguments.reset(token)


class Stage:
    """A running stage: its inputs so far, and the notes it owes the person at the terminal.

    Attributes:
        name: of the subcommand.
        doing: how far it is, for the report of a failure that nobody foresaw.
    """

    def __init__(self, name: str, writes: Sequence[Place | None] = ()) -> None:
        self.name = name
        self._writes = writes
        self.doing = "it had just begun"
        self._inputs: list[Path] = []

    def read(self, path: Path, detail: str, files: Iterable[Path] | None = None) -> None:
        """Note an input (a file, or a folder of part files) and what it holds: ``208 images``.

        Args:
            path: the input.
            detail: what it holds.
            files: which files stand for it in the provenance, where it is another kind of folder.
        """
        self._inputs.extend([path] if files is None else files)
        self.doing = f"after it had read {path}"
        console.note(f"read   {path}: {detail}")

    def read_images(self, table: Path) -> Images:
        """Read a table of images; its image files are inputs too, so that no output may be one of them.

        Raises:
            PlaceError: an output is one of its image files.
            TableError: the table cannot be read.
        """
        from simtool.tables.images import image_paths, read_images

        images = read_images(table)
        check_spared(image_paths(table, images), self._writes, table)
        return images

    def wrote(self, path: Path, detail: str) -> None:
        """Note an output and what it holds."""
        self.doing = f"after it had written {path}"
        console.note(f"wrote  {path}: {detail}")

    def provenance(self) -> Provenance:
        """Where a table written now comes from: this command line and the inputs noted so far, hashed."""
        return Provenance.of(command=_arguments.get() or (self.name,), inputs=self._inputs)


@contextmanager
def stage(name: str, *, reads: Iterable[Place | None], writes: Iterable[Place | None]) -> Iterator[Stage]:
    """Run the body of a subcommand as a stage; at its end say how long it took.

    Args:
        name: of the subcommand.
        reads: every input that the command was given; see :func:`check_places`.
        writes: every output that it was given.

    Raises:
        PlaceError: an output is an input or another output, or is no file; raised before anything is read.
    """
    outputs = list(writes)
    check_places(reads, outputs)
    started = time.perf_counter()
    run = Stage(name, outputs)
    try:
        yield run
    except (KeyboardInterrupt, Terminated):
        console.note(f"{name} was stopped; no output is half-written: run the same command again")
        raise
    except Exception as failure:
        failure.add_note(f"simtool {name}, {run.doing}")
        raise
    console.note(f"{name} took {time.perf_counter() - started:.1f} s")

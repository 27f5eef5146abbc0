"""Hashes of input files, computed beside the work of a stage; light enough to import before the stage."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from simtool.errors import SimtoolError
from simtool.tables.provenance import Content, InputFile, file_state

__all__ = ["Hashing", "announce", "of_stage"]

_State = tuple[int, int, int]


class Hashing:
    """Describes input files. Announced files are hashed in threads, one file at a time.

    The threads do not delay the end of the program: a stage that fails does not wait for them.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._begun: dict[Path, tuple[_State, Future[Content]]] = {}

    def begin(self, path: Path) -> None:
        """Hash a file, or the parts of a folder, from now on; a path that is no table of files is passed over."""
        new: dict[Path, Future[Content]] = {}
        with suppress(OSError, SimtoolError):
            for file in _parts(path) if path.is_dir() else [path]:
                if file not in self._begun:
                    state, new[file] = file_state(file), Future()
                    self._begun[file] = state, new[file]
        threading.Thread(target=self._hash, args=(new,), daemon=True).start()

    def _hash(self, files: Mapping[Path, Future[Content]]) -> None:
        with self._turn:
            for file, found in files.items():
                try:
                    found.set_result(Content.of(file))
                except Exception as failure:
                    found.set_exception(failure)

    def describe(self, file: Path) -> InputFile:
        """Describe a file as it is now; a file that was announced and has not changed is not hashed again.

        Raises:
            OSError: the file cannot be read.
        """
        state, found = self._begun.get(file, (None, None))
        if found is not None and state == file_state(file):
            return InputFile.of(file, found.result())
        return InputFile.of(file)


def _parts(folder: Path) -> list[Path]:
    from simtool.tables.parts import part_files  # imports pyarrow

    return part_files(folder)


_announced: list[Hashing] = []


def announce(paths: Iterable[Path]) -> None:
    """Hash files from now on, for the stage that runs next: while its modules are imported, one core is idle.

    Folders, pipes and other paths that are no files are left to the stage.
    """
    hashing = Hashing()
    for path in paths:
        if path.is_file():
            hashing.begin(path)
    _announced[:] = [hashing]


def of_stage() -> Hashing:
    """The hashes of a stage that begins now, with the files that were announced for it."""
    return _announced.pop() if _announced else Hashing()

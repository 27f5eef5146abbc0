"""Hashes of input files, computed beside the work of a stage."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from simtool.tables.files import TableError, file_state, part_files
from simtool.tables.provenance import InputFile

__all__ = ["Hashing"]

_State = tuple[int, int, int]


class Hashing:
    """Describes input files. Announced files are hashed in threads, one file at a time.

    The threads do not delay the end of the program: a stage that fails does not wait for them.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._begun: dict[Path, tuple[_State, Future[InputFile]]] = {}

    def begin(self, path: Path) -> None:
        """Hash a file, or the parts of a folder, from now on; a path that is no table of files is passed over."""
        new: dict[Path, Future[InputFile]] = {}
        with suppress(OSError, TableError):
            for file in part_files(path) if path.is_dir() else [path]:
                if file not in self._begun:
                    state, new[file] = file_state(file), Future()
                    self._begun[file] = state, new[file]
        threading.Thread(target=self._hash, args=(new,), daemon=True).start()

    def _hash(self, files: Mapping[Path, Future[InputFile]]) -> None:
        with self._turn:
            for file, found in files.items():
                try:
                    found.set_result(InputFile.of(file))
                except Exception as failure:
                    found.set_exception(failure)

    def describe(self, file: Path) -> InputFile:
        """Describe a file as it is now; a file that was announced and has not changed is not hashed again.

        Raises:
            OSError: the file cannot be read.
        """
        state, found = self._begun.get(file, (None, None))
        if found is not None and state == file_state(file):
            return found.result()
        return InputFile.of(file)

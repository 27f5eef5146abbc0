"""A tree of folders: the files in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["files_below"]


def files_below(folder: Path) -> Iterator[PurePosixPath]:
    """The files below a folder that are not hidden, dead links included; other kinds of files are passed over.

    Links are followed. A folder is entered once on any way down, so that links that lead back end.

    Raises:
        OSError: a folder cannot be listed.
    """
    # Each entry: a path below the folder, and the folders (device, inode) on the way to it.
    waiting: list[tuple[PurePosixPath, frozenset[tuple[int, int]]]] = [(PurePosixPath(), frozenset())]
    while waiting:
        below, above = waiting.pop()
        status = (folder / below).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    waiting.append((below / entry.name, above | {identity}))
                elif entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110 - a dead link is a bad file
                    yield below / entry.name

"""Files in a tree of folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["files_below"]


def files_below(folder: Path) -> Iterator[PurePosixPath]:
    """Yield the files below a folder, with dead links, but without hidden files, pipes, sockets and devices.

    Links are followed. No path enters a folder twice, so that circular links end.

    Raises:
        OSError: a folder cannot be listed.
    """
    # Each entry: a path below the folder, and its parent folders (device, inode).
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
                elif entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110 - a dead link counts as a file
                    yield below / entry.name

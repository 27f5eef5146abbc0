"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["atomic_folder", "atomic_path"]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name beside it; rename it into place when it is complete and on disk.

    A reader never sees half a file, and a writer that fails or is killed leaves an older file whole.
    Missing parent folders are made. A symbolic link is followed.

    Args:
        path: where the file shall stand.

    Yields:
        The temporary name to write to.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder, not a file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_beside(path)
    try:
        # Created at once, so that an unwritable folder is found before the work and not after it.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as failure:
        raise _named(failure, temporary, path) from failure
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: fill a temporary one beside it, then put it in the place of an older one.

    Args:
        path: where the folder shall stand; an older folder there is replaced.

    Yields:
        The temporary folder to fill.

    Raises:
        OSError: the folder cannot be made or written, or a file stands in its place.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(20, "is a file, not a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, retired = _temporary_beside(path), _temporary_beside(path)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            _flush(file)
        with suppress(FileNotFoundError):
            path.rename(retired)
        temporary.rename(path)
        _flush(path.parent)
    except OSError as failure:
        raise _named(failure, temporary, path) from failure
    finally:
        if retired.exists() and not path.exists():
            retired.rename(path)
        for leftover in (temporary, retired):
            shutil.rmtree(leftover, ignore_errors=True)


def _temporary_beside(path: Path) -> Path:
    """A hidden name in the same folder, so that the rename stays within one file system."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _named(failure: OSError, temporary: Path, path: Path) -> OSError:
    """The failure in the words of the person who asked for ``path`` and knows nothing of the temporary name."""
    # Arrow has the number in its text only, and names no file.
    found = re.search(r"\[errno (\d+)\]", str(failure))
    number = failure.errno or (int(found[1]) if found else 0)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OSError(number, "the disk is full: free some space and try again; nothing was changed", str(path))
    if Path(str(failure.filename)).is_relative_to(temporary):
        return OSError(number, os.strerror(number), str(path))
    return failure


def _flush(path: Path) -> None:
    """Force a file's content, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

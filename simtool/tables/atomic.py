"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

__all__ = ["atomic_folder", "atomic_path", "remove_leftovers"]

_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name beside it; rename it into place when it is complete and on disk.

    A reader never sees half a file, and a writer that fails or is killed leaves an older file whole. What a killed
    writer left is removed by the next writer of the same file. Missing parent folders are made. A symbolic link is
    followed.

    Args:
        path: where the file is to be.

    Yields:
        The temporary name to write to.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder, not a file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Created at once, so that an unwritable folder is found before the work and not after it.
        with _temporary_beside(path, _new_file) as temporary:
            try:
                yield temporary
                _flush(temporary)
                temporary.replace(path)
                _flush(path.parent)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as failure:
        raise _named(failure, path) from failure


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: fill a temporary one beside it, then put it in the place of an older one.

    Args:
        path: where the folder is to be; an older folder there is replaced.

    Yields:
        The temporary folder to fill.

    Raises:
        OSError: the folder cannot be made or written, or a file is in its place.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(20, "is a file, not a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    retired = _name_beside(path, "old")
    try:
        with _temporary_beside(path, Path.mkdir) as temporary:
            try:
                yield temporary
                for file in temporary.rglob("*"):
                    _flush(file)
                with _locked(path) if path.exists() else nullcontext():
                    if path.exists():
                        path.rename(retired)
                    temporary.rename(path)
                _flush(path.parent)
            finally:
                if retired.exists() and not path.exists():
                    retired.rename(path)
                for leftover in (temporary, retired):
                    shutil.rmtree(leftover, ignore_errors=True)
    except OSError as failure:
        raise _named(failure, path) from failure


@contextmanager
def _temporary_beside(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A new hidden file or folder beside a path, locked while the block runs, so that others know that it is in use.

    It is in the same folder, so that a rename stays within one file system.
    """
    _remove_leftovers(path)
    while True:
        temporary = _name_beside(path, "tmp")
        make(temporary)
        # Another process may take it for a leftover before it is locked.
        with suppress(FileNotFoundError):
            descriptor = _open(temporary)
            if _is_locked(descriptor) is not False and temporary.exists():
                break
            os.close(descriptor)
    try:
        yield temporary
    finally:
        os.close(descriptor)


def _new_file(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _name_beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{suffix}")


def _hidden(path: Path) -> re.Pattern[str]:
    """The temporary names of a path, and those of an older folder while a new one takes its place."""
    return re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{8}\.(tmp|old)")


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left anywhere in a folder, whichever files they wrote.

    Args:
        folder: of files that are not all written again, such as a training's.
    """
    any_name = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(tmp|old)")
    for hidden in list(folder.rglob(".*")):
        if match := any_name.fullmatch(hidden.name):
            _remove_leftovers(hidden.with_name(match[1]))


def _remove_leftovers(path: Path) -> None:
    """Remove what killed writers of a path left; nothing that a living process holds.

    An older folder whose place is empty is put back: its writer was killed between two renames.
    """
    pattern = _hidden(path)
    for leftover in path.parent.iterdir():
        if not (match := pattern.fullmatch(leftover.name)):
            continue
        with suppress(OSError), _locked(leftover) as locked:
            if locked and match[1] == "old" and not path.exists():
                leftover.rename(path)
            elif locked:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Lock a file or folder while the block runs; says whether it worked."""
    descriptor = _open(path)
    try:
        yield _is_locked(descriptor) is True
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Open a file or folder to lock it; network file systems lock only what may be written."""
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except IsADirectoryError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _is_locked(descriptor: int) -> bool | None:
    """Lock a file for as long as it is open: whether it worked; None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        return False if failure.errno in _BUSY else None
    return True


def _named(failure: OSError, path: Path) -> OSError:
    """The failure in the words of the person who asked for ``path`` and knows nothing of the temporary name."""
    # Arrow has the number in its text only, and names no file.
    found = re.search(r"\[errno (\d+)\]", str(failure))
    number = failure.errno or (int(found[1]) if found else 0)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OSError(number, "the disk is full: free some space and try again; nothing was changed", str(path))
    file = Path(str(failure.filename))
    if any(place.parent == path.parent and _hidden(path).fullmatch(place.name) for place in (file, *file.parents)):
        return OSError(number, os.strerror(number), str(path))
    return failure


def _flush(path: Path) -> None:
    """Force a file's content, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Atomic writing: files and folders appear complete, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

__all__ = ["atomic_folder", "atomic_path", "discard_folder", "remove_leftovers", "temporary_folder"]

_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
#: The temporary names of a path, and of an older folder during its replacement.
_HIDDEN = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(tmp|old)", re.DOTALL)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder to write to, and rename the file when it is complete and on disk.

    Readers never see an incomplete file. If the writer fails or is killed, an older file stays intact. The next writer
    of the same file removes the remains of killed writers. Missing parent folders are created. A symbolic link is
    followed.

    Raises:
        OSError: the folder cannot be created or written.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder, not a file", str(path))
    # The file is created now, so that an unwritable folder is an error before the work.
    with _temporary_beside(path, partial(Path.touch, exist_ok=False)) as temporary:
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder in the same parent folder to fill, then move it to its place, also of an older folder.

    Raises:
        OSError: the folder cannot be created or written, or the path is a file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(20, "is a file, not a folder", str(path))
    retired = _name_beside(path, "old")
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


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside a path, and remove it at the end.

    If the process is killed, the next writer of the path, or :func:`remove_leftovers`, removes the folder.

    Raises:
        OSError: the folder cannot be created.
    """
    with _temporary_beside(path, Path.mkdir) as temporary:
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def discard_folder(path: Path) -> None:
    """Remove a folder, if it exists. It disappears at once, also if the process is killed.

    Raises:
        OSError: the folder cannot be renamed.
    """
    if path.exists():
        hidden = _name_beside(path, "tmp")
        path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def _temporary_beside(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Create a hidden file or folder next to a path; its lock shows other processes that it is in use.

    It is in the same folder, so that renaming it stays within one file system. Failures name the path that the user
    knows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _remove_leftovers(path)
        while True:
            temporary = _name_beside(path, "tmp")
            make(temporary)
            # Another process can remove it before it is locked.
            with suppress(FileNotFoundError):
                descriptor = _open(temporary)
                if _is_locked(descriptor) is not False and temporary.exists():
                    break
                os.close(descriptor)
        try:
            yield temporary
        finally:
            os.close(descriptor)
    except OSError as failure:
        raise _named(failure, path) from failure


def _name_beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{suffix}")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed writers anywhere in a folder.

    Args:
        folder: a folder whose files are not all written again, such as the folder of a training.
    """
    for hidden in list(folder.rglob(".*")):
        # A temporary folder is removed with the temporary files in it.
        if (match := _HIDDEN.fullmatch(hidden.name)) and hidden.parent.is_dir():
            _remove_leftovers(hidden.with_name(match[1]))


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of killed writers of a path; files in use are kept.

    An older folder is restored if its place is empty: its writer was killed between two renames.
    """
    for leftover in path.parent.iterdir():
        match = _HIDDEN.fullmatch(leftover.name)
        if not match or match[1] != path.name:
            continue
        with suppress(OSError), _locked(leftover) as locked:
            if locked and match[2] == "old" and not path.exists():
                leftover.rename(path)
            elif locked:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Lock a file or folder for the body; yields whether the lock was taken."""
    descriptor = _open(path)
    try:
        yield _is_locked(descriptor) is True
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Open a file or folder to lock it; network file systems need write access for locks."""
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except IsADirectoryError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _is_locked(descriptor: int) -> bool | None:
    """Lock a file until it is closed; return whether it worked, None on a file system without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        return False if failure.errno in _BUSY else None
    return True


def _named(failure: OSError, path: Path) -> OSError:
    """Return the failure with the path that the user knows instead of the temporary path."""
    # Arrow states the number only in its text, and names no file.
    found = re.search(r"\[errno (\d+)\]", str(failure))
    number = failure.errno or (int(found[1]) if found else 0)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OSError(number, "the disk is full: free some space and try again; nothing was changed", str(path))
    if number and failure.errno is None:
        return OSError(number, os.strerror(number), str(path))
    file = Path(str(failure.filename))
    hidden = ((place.parent, _HIDDEN.fullmatch(place.name)) for place in (file, *file.parents))
    if any(folder == path.parent and match and match[1] == path.name for folder, match in hidden):
        return OSError(number, os.strerror(number), str(path))
    return failure


def _flush(path: Path) -> None:
    """Flush the content of a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

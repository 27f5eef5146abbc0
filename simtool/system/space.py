"""Disk space: checked before a long step, reserved for scratch files, and reported clearly when it runs out."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

from simtool.errors import SimtoolError
from simtool.system.groups import ROOT, lines_of
from simtool.text import scaled

__all__ = ["SpaceError", "is_in_memory", "require_space", "running_out_of_space", "scratch_file"]

#: Error numbers for a full disk, an exhausted quota and the limit of a file's size.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpaceError(SimtoolError):
    """The disk has less free space than a step needs."""


def is_in_memory(folder: Path, root: Path = ROOT) -> bool:
    """Return whether the files of a folder occupy memory (``tmpfs``), as those of many containers do.

    Args:
        folder: an existing folder.
        root: the root of the file system with ``/proc``.
    """
    place = folder.resolve()
    kinds = {"/": ""}
    for line in lines_of(root / "proc/self/mounts"):
        _, mount, kind = line.split()[:3]
        kinds[mount.replace("\\040", " ")] = kind  # the last mount of a folder hides the others
    nearest = max((mount for mount in kinds if place.is_relative_to(mount)), key=len)
    return kinds[nearest] in ("tmpfs", "ramfs")


def require_space(
    folder: Path, needed: int, purpose: str, remedy: str = "free some space or choose another folder"
) -> None:
    """Refuse to start a step whose files, of ``needed`` bytes, do not fit on the disk of an existing folder.

    The message names the purpose, which is the step or its data, and the remedy for the user.

    Raises:
        SpaceError: fewer bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SpaceError(
            f"{folder}: not enough disk space for {purpose}: {scaled(needed, 'B')} needed, {scaled(free, 'B')} free; "
            f"{remedy}"
        )


@contextmanager
def running_out_of_space(folder: Path, needed: int | Callable[[], int], purpose: str) -> Iterator[None]:
    """Replace the system's error about a full disk by a message that says how much space is needed.

    The body writes ``needed`` bytes to the folder, or to a file; 0 if unknown, and a function where the number is known
    at the failure only. The message names the purpose.

    Raises:
        SpaceError: the disk or the quota is full.
    """
    try:
        yield
    except OSError as failure:
        if failure.errno not in _FULL:
            raise
        size = needed if isinstance(needed, int) else needed()
        amount = f" ({purpose} needs {scaled(size, 'B')})" if size else ""
        reason = "the disk is full" if failure.errno == errno.ENOSPC else os.strerror(failure.errno)
        raise SpaceError(f"{folder}: {reason}{amount}; free some space and run the same command again") from failure


def scratch_file(
    folder: Path | None, size: int, purpose: str, option: str = "--scratch", reserve: bool = False
) -> BufferedRandom:
    """Open a temporary file without a name for ``size`` bytes; its space is free again when the process ends.

    Args:
        folder: a folder on a disk with enough space; None for the system's temporary folder.
        size: bytes that the file will hold.
        purpose: a short name of the data, for the message.
        option: the option or variable that names another folder, for the message.
        reserve: allocate the space now. A full disk kills a process that writes to a memory map.

    Raises:
        SpaceError: fewer bytes are free.
        OSError: the folder cannot be written.
    """
    folder = folder or Path(tempfile.gettempdir())
    require_space(folder, size, purpose, f"name a larger disk with {option}")
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
    if reserve and size:
        with running_out_of_space(folder, size, purpose):
            os.posix_fallocate(file.fileno(), 0, size)
    return file

"""Room on the disk: asked for before a long step, and a clear word when it runs out all the same."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simtool.archive.source import ArchiveError
from simtool.console import scaled

__all__ = ["require_space", "running_out_of_space"]

#: What the system says when nothing more fits: on the disk, within a quota, within the limit of a file's size.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Refuse to begin what will not fit.

    Args:
        folder: an existing folder on the disk in question.
        needed: bytes that will be written.
        purpose: what needs them, in a few words.

    Raises:
        ArchiveError: fewer bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ArchiveError(
            f"{folder}: not enough room: {purpose} needs {scaled(needed, 'B')}, {scaled(free, 'B')} are free; "
            "make room or choose another folder"
        )


@contextmanager
def running_out_of_space(folder: Path, needed: int, purpose: str) -> Iterator[None]:
    """Turn the system's complaint about a full disk within the body into one that says what was needed.

    Args:
        folder: where the body writes.
        needed: bytes that it was going to write; 0 where nobody knows.
        purpose: what needs them, in a few words.

    Raises:
        ArchiveError: the disk or the quota is full.
    """
    try:
        yield
    except OSError as failure:
        if failure.errno not in _FULL:
            raise
        amount = f" ({purpose} needs {scaled(needed, 'B')})" if needed else ""
        reason = "the disk is full" if failure.errno == errno.ENOSPC else f"no more fits: {failure.strerror}"
        raise ArchiveError(f"{folder}: {reason}{amount}; make room and run the same command again") from failure

"""Files that another machine has just written: on a network file system, they appear with a delay."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

__all__ = ["look_again", "once_visible"]

T = TypeVar("T")
#: Seconds after which every machine sees a new file. Clients of NFS keep their view of a folder for up to 60 s
#: (``acdirmax`` in nfs(5)).
_PATIENCE = 90.0
_LOOK = 0.2
#: The file is not there yet, or it was replaced by another file of the same name.
_LATE = (errno.ENOENT, errno.ESTALE)


def once_visible(read: Callable[[], T]) -> T:
    """Read a file that exists for the machine that wrote it; try again while this machine does not see it.

    Raises:
        OSError: the file is still not visible after a minute and a half, or cannot be read.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return read()
        except OSError as failure:
            if failure.errno not in _LATE or time.monotonic() > end:
                raise
        time.sleep(_LOOK)


def look_again(folder: Path) -> None:
    """Let this machine look at a folder again; a client of NFS drops its old view after it changed the folder."""
    with suppress(OSError):
        file, name = tempfile.mkstemp(prefix=".", dir=folder)
        os.close(file)
        Path(name).unlink()

"""Detection of the kind of a file or folder by its content, never by its name."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from simtool.kinds.archives import gzip_kind, tar_kind, zip_kind
from simtool.kinds.binaries import arrow_kind, image_kind, magic_kind, message_kind, numpy_kind, parquet_kind
from simtool.kinds.folders import folder_kind
from simtool.kinds.hdf5 import hdf5_kind, matlab_kind
from simtool.kinds.kind import Kind, KindError, What
from simtool.kinds.texts import text_kind

__all__ = ["kind_of", "kind_of_content", "special"]

#: Bytes at the beginning and at the end of a file that are read for most kinds.
_START = _TAIL = 1 << 16
_HDF5 = b"\x89HDF\r\n\x1a\n"
#: The beginning of the user block of MATLAB's HDF5 files.
_MATLAB_HDF5 = b"MATLAB 7.3 MAT-file"
#: Possible positions of HDF5 behind a user block.
_USER_BLOCKS = tuple(512 << power for power in range(7))
_LONGEST_NAME = 200


def kind_of(path: Path) -> Kind:
    """Return the kind of a file or folder by its content.

    The function reads a bounded part, loads no pickle and runs no code.

    Raises:
        KindError: the path does not exist, cannot be read, or is a pipe, socket or device.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return folder_kind(path)
        if not stat.S_ISREG(mode):
            raise KindError(f"{path}: {special(mode)}, not a file; write its content to a file, and give that file")
        # Without blocking, in case a pipe has replaced the file.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return _kind(file, os.fstat(file.fileno()).st_size)
    except OSError as failure:
        raise KindError(f"{path}: {_unreadable(path, failure)}") from failure
    except ValueError as failure:  # a null character in the path
        raise KindError(f"{path}: no such file or folder") from failure


def kind_of_content(content: bytes) -> Kind:
    """Return the kind of a file by its whole content."""
    return _kind(io.BytesIO(content), len(content))


def special(mode: int) -> str:
    """Return a phrase for a path that is no file and no folder, by its mode: ``a pipe``."""
    names = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return names.get(stat.S_IFMT(mode), "a special file")


def _unreadable(path: Path, failure: OSError) -> str:
    if failure.errno not in (errno.ENOENT, errno.ENOTDIR):
        return failure.strerror or "it cannot be read"
    if not path.is_symlink():
        return "no such file or folder"
    target = str(path.readlink())
    hint = "; git annex get fetches it" if "annex/objects" in target else ""
    return f"a link to {target[:_LONGEST_NAME]}, which does not exist{hint}"


def _kind(file: BinaryIO, size: int) -> Kind:
    if not size:
        return Kind(What.EMPTY)

    def read(place: int, count: int) -> bytes:
        file.seek(place)
        return file.read(max(0, count))

    start = read(0, _START)
    tail = read(max(0, size - _TAIL), _TAIL)
    if not start.strip(b"\0") and not tail.strip(b"\0"):
        return Kind(What.ZEROS)
    told = parquet_kind(start, tail, size) or arrow_kind(start, tail, size) or numpy_kind(start, size)
    if told := told or image_kind(start, tail) or magic_kind(start, tail):
        return told
    if start.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08")):
        return zip_kind(file, read, size)
    if start.startswith(b"\x1f\x8b"):
        return gzip_kind(read)
    if start.startswith(_HDF5):
        return hdf5_kind(file)
    if start.startswith(_MATLAB_HDF5):
        return matlab_kind(file)
    return (
        tar_kind(read, size)
        or (hdf5_kind(file) if any(start.startswith(_HDF5, place) for place in _USER_BLOCKS) else None)
        or message_kind(start, size)
        or text_kind(start, size <= len(start), lambda count: read(0, count))
        or Kind(What.OTHER, detail=f"(its first bytes are {start[:8].hex(' ')})")
    )

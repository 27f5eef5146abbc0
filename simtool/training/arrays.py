"""A file of named arrays with a header: no code in it, a checksum on every part, written whole or not at all.

It is a zip file that ``numpy.load`` opens, too. One array at a time is in memory.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line
from simtool.system.npy import npy_header
from simtool.tables.atomic import atomic_path
from simtool.training.errors import TrainingError

__all__ = ["ArraysError", "read_arrays", "read_header", "write_arrays"]

_HEADER, _SUFFIX = "header.json", ".npy"
#: What reading a damaged file raises.
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(KeyError, IndexError, OverflowError, RecursionError, ValueError, NotImplementedError),
)


class ArraysError(TrainingError):
    """A file of arrays is damaged."""


def write_arrays(path: Path, header: dict[str, Any], arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write a file that is complete and on disk when this returns; before, an older one in its place is whole.

    Args:
        path: of the file.
        header: for JSON.
        arrays: name and content of each.

    Raises:
        OSError: it cannot be written, for example because the disk is full.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER), json.dumps(header))
        for name, array in arrays:
            with archive.open(zipfile.ZipInfo(name + _SUFFIX), "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)


def read_header(path: Path) -> dict[str, Any]:
    """Read the header alone.

    Raises:
        ArraysError: the file is damaged.
        OSError: it cannot be read.
    """
    with _open(path) as archive:
        header = json.loads(archive.read(_stored(archive, _HEADER)))
        if not isinstance(header, dict):
            raise ArraysError(f"{path}: damaged: its header is no object")
        return header


def read_arrays(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read one array after the other, each checked against its checksum before it is given.

    Raises:
        ArraysError: the file is damaged.
        OSError: it cannot be read.
    """
    with _open(path) as archive:
        for name in archive.namelist():
            if name.endswith(_SUFFIX):
                info = _stored(archive, name)
                with archive.open(info) as part:
                    npy_header(part, info.file_size)
                with archive.open(info) as part:
                    array = np.lib.format.read_array(part, allow_pickle=False)
                    # The checksum is compared where the part ends.
                    part.read(1)
                yield name.removesuffix(_SUFFIX), array


def _stored(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A part of the archive, which takes as many bytes there as in memory."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{name} is compressed or encrypted")
    return info


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (*_DAMAGES, OSError) as failure:
        if isinstance(failure, OSError) and failure.filename is not None:
            raise
        raise ArraysError(f"{path}: damaged: {first_line(failure) if str(failure) else 'cut short'}") from failure

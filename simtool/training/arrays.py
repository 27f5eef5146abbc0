"""Named arrays in a file, and in the variables of a network.

A file of arrays is a zip file that ``numpy.load`` also opens. It holds a header and no code. Every array has a
checksum. A file is written completely or not at all. Only one array at a time is in memory.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import ESTALE
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.system.npy import npy_header
from simtool.system.space import running_out_of_space
from simtool.tables.atomic import atomic_path
from simtool.tensorflow import load_tensorflow
from simtool.training.outcome import TrainingError

__all__ = [
    "Arrays",
    "ArraysError",
    "Variables",
    "assign_arrays",
    "matched",
    "named",
    "read_arrays",
    "read_header",
    "to_arrays",
    "write_arrays",
]

#: Name and content of each array.
Arrays = Iterable[tuple[str, NDArray[Any]]]
#: ``keras.Variable`` by name.
Variables = Mapping[str, Any]
_HEADER, _SUFFIX = "header.json", ".npy"
#: The exceptions that a damaged file can raise.
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(KeyError, IndexError, OverflowError, RecursionError, ValueError, NotImplementedError),
)


class ArraysError(TrainingError):
    """A file of arrays is damaged."""


def write_arrays(path: Path, header: dict[str, Any], arrays: Arrays) -> None:
    """Write a file of arrays. It replaces an older file only when it is complete and on disk.

    Raises:
        SpaceError: the disk is full; the message says how large the file is.
        OSError: the file cannot be written.
    """
    sizes: list[int] = []
    counted = _counted(arrays, sizes)

    def size() -> int:
        for _ in counted:  # the arrays that were not written
            pass
        return sum(sizes)

    with (
        running_out_of_space(path, size, "the file"),
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        archive.writestr(zipfile.ZipInfo(_HEADER), json.dumps(header))
        for name, array in counted:
            with archive.open(zipfile.ZipInfo(name + _SUFFIX), "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)


def _counted(arrays: Arrays, sizes: list[int]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Pass on arrays, and note the bytes of each."""
    for name, array in arrays:
        sizes.append(array.nbytes)
        yield name, array


def read_header(path: Path) -> dict[str, Any]:
    """Read only the header.

    Raises:
        ArraysError: the file is damaged.
        OSError: the file cannot be read.
    """
    with _open(path) as archive:
        header = json.loads(archive.read(_stored(archive, _HEADER)))
        if not isinstance(header, dict):
            raise ArraysError(f"{path}: damaged: its header is not an object")
        return header


def read_arrays(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read one array after the other. The checksum of an array is verified before the array is yielded.

    Raises:
        ArraysError: the file is damaged.
        OSError: the file cannot be read.
    """
    with _open(path) as archive:
        for name in archive.namelist():
            if name.endswith(_SUFFIX):
                info = _stored(archive, name)
                with archive.open(info) as part:
                    npy_header(part, info.file_size)
                with archive.open(info) as part:
                    array = np.lib.format.read_array(part, allow_pickle=False)
                    # zipfile compares the checksum at the end of the part.
                    part.read(1)
                yield name.removesuffix(_SUFFIX), array


def matched(
    arrays: Arrays, shapes: Mapping[str, tuple[int, ...]], advice: str = ""
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Pass on arrays after a check of their names and shapes; ``advice`` ends the message about another network.

    Raises:
        TrainingError: the arrays belong to another network.
        ArraysError: some arrays are missing.
    """
    missing = dict.fromkeys(shapes)
    for name, array in arrays:
        if name not in missing:
            raise TrainingError(f"the file holds {name}, which the network does not have{advice}")
        if array.shape != shapes[name]:
            raise TrainingError(f"{name} has the shape {array.shape}, the network expects {shapes[name]}{advice}")
        del missing[name]
        yield name, array
    if missing:
        raise ArraysError(f"the file lacks {listed(list(missing))}")


def _stored(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A part of the archive that takes as many bytes in the file as in memory."""
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
        if isinstance(failure, OSError) and (failure.filename is not None or failure.errno == ESTALE):
            raise
        raise ArraysError(f"{path}: damaged: {first_line(failure) if str(failure) else 'cut short'}") from failure


def named(**groups: Sequence[Any]) -> Variables:
    """Name variables by group and position, for example ``weights/0003``; Keras names differ between processes."""
    return {f"{name}/{index:04}": one for name, group in groups.items() for index, one in enumerate(group)}


def to_arrays(variables: Variables) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and value of each variable. Values are views; later updates do not change them."""
    tf = load_tensorflow()
    for name, variable in variables.items():
        yield name, np.asarray(tf.convert_to_tensor(variable.value))


def assign_arrays(variables: Variables, arrays: Arrays, advice: str = "") -> None:
    """Assign arrays to the variables with the same names. See :func:`matched`."""
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    for name, array in matched(arrays, shapes, advice):
        variables[name].assign(array)

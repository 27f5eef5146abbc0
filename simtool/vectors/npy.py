"""NumPy's files: one array (.npy), and archives of arrays (.npz)."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from simtool.system.npy import npy_header
from simtool.vectors.vectors import Block, Vectors, VectorsError, block_rows, chosen_array, reading

__all__ = ["npz_array", "open_npy", "open_npz"]

_SUFFIX = ".npy"
_PICKLES = (
    "an array of Python objects is a pickle, which simtool does not load; "
    "save numbers: numpy.save(FILE, numpy.stack(list(ARRAY)))"
)
#: Blocks of rows that are read at once in Fortran's order, so that reads are longer.
_READ_AHEAD = 4
#: Maximum characters of a header.
_HEADER = 1000


@dataclass(frozen=True)
class _Array:
    """An array in a file, or in a member of an archive.

    Attributes:
        path: the file.
        member: the name of the array in the archive; None for a file of one array.
    """

    path: Path
    member: str | None = None

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """Open it at its beginning."""
        return self.path.open("rb") if self.member is None else _opened(self.path, self.member)

    def header(self, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Shape, whether the order is Fortran's, and type; the file is then at the first value.

        Raises:
            VectorsError: the values are no numbers, or are not complete.
        """
        try:
            return npy_header(file, _size(self.path, self.member))
        except ValueError as failure:
            reason = _PICKLES if "array of object" in str(failure) else f"it holds no vectors: {failure}"
            raise VectorsError(f"{self.path}: {reason}") from failure

    def vectors(self) -> Vectors:
        """The rows of the array.

        Raises:
            VectorsError: it has less than two axes.
        """
        with self.open() as file:
            shape, _, _ = self.header(file)
        if len(shape) < 2:
            raise VectorsError(
                f"{self.path}: an array of shape {shape} holds no vectors, which need a row for each image"
            )
        return Vectors(self.path, shape[0], shape[1:], self.blocks, (self.path,))

    def blocks(self) -> Iterator[Block]:
        """Read the rows in blocks; a member of an archive in Fortran's order is read at once."""
        with self.open() as file, reading(self.path):
            shape, fortran, dtype = self.header(file)
            width = math.prod(shape[1:])
            if fortran and self.member is None:
                yield from _fortran_blocks(file, shape, dtype)
            elif fortran:
                yield self.read(file, shape, dtype).reshape(shape[0], width)
            else:
                for count in _counts(shape[0], block_rows(width * dtype.itemsize)):
                    yield np.frombuffer(file.read(count * width * dtype.itemsize), dtype).reshape(count, width)

    @staticmethod
    def read(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], fortran: bool = True) -> NDArray[Any]:
        """Read all values of an array whose header is read."""
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C")


def _counts(rows: int, size: int) -> Iterator[int]:
    """The number of rows of each block."""
    for start in range(0, rows, size):
        yield min(size, rows - start)


def _fortran_blocks(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Block]:
    """The rows of an array in Fortran's order, whose columns are apart in the file."""
    rows, width, place = shape[0], math.prod(shape[1:]), file.tell()
    start = 0
    for count in _counts(rows, _READ_AHEAD * block_rows(width * dtype.itemsize)):
        columns = np.empty((width, count), dtype)
        for column in range(width):
            offset = place + (column * rows + start) * dtype.itemsize
            columns[column] = np.frombuffer(os.pread(file.fileno(), count * dtype.itemsize, offset), dtype)
        yield columns.T.reshape((count, *shape[1:]), order="F").reshape(count, width)
        start += count


def open_npy(path: Path) -> Vectors:
    """Open an array with one row for each image.

    Raises:
        VectorsError: it holds no numbers, or has less than two axes.
    """
    return _Array(path).vectors()


def open_npz(path: Path, asked: str | None) -> Vectors:
    """Open an array of an archive. If one of its arrays is a text for each row, these are the names.

    Raises:
        VectorsError: the archive is damaged, or holds several arrays and none is asked for.
    """
    headers = _headers(path)
    shapes = {name: shape for name, (shape, dtype) in headers.items() if dtype.kind in "biuf" and len(shape) > 1}
    if not shapes and any(dtype.hasobject for _, dtype in headers.values()):
        raise VectorsError(f"{path}: {_PICKLES}")
    vectors = _Array(path, chosen_array(path, shapes, asked)).vectors()
    names = [name for name, (shape, dtype) in headers.items() if dtype.kind in "US" and shape == (vectors.rows,)]
    return vectors.named(_texts(path, names[0]), path) if len(names) == 1 else vectors


def npz_array(path: Path, name: str) -> NDArray[Any] | None:
    """Read a small array of numbers of an archive; None if it is missing.

    Raises:
        VectorsError: the archive is damaged, or the array holds other values.
    """
    if name not in _headers(path):
        return None
    array = _Array(path, name)
    with array.open() as file:
        shape, fortran, dtype = array.header(file)
        return array.read(file, shape, dtype, fortran)


def _headers(path: Path) -> Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """The stated shape and type of each array of an archive."""
    headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(_SUFFIX):
                with archive.open(member) as file:
                    read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
                    shape, _, dtype = read(file, max_header_size=_HEADER)
                headers[member.removesuffix(_SUFFIX)] = shape, dtype
    return headers


def _texts(path: Path, name: str) -> list[str]:
    with _opened(path, name) as file:
        texts = npy.read_array(file, allow_pickle=False, max_header_size=_HEADER)
        return [text.decode() if isinstance(text, bytes) else str(text) for text in texts.tolist()]


def _size(path: Path, member: str | None) -> int:
    if member is None:
        return path.stat().st_size
    with reading(path), zipfile.ZipFile(path) as archive:
        return archive.getinfo(member + _SUFFIX).file_size


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    with reading(path), zipfile.ZipFile(path) as archive, archive.open(name + _SUFFIX) as file:
        yield file

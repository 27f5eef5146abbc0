"""Matrices that stay on disk: read and written in blocks by plain calls.

A memory map would do the same with less code, but every page that it touches counts as the memory of the process,
so that on a node with a limit a large file looks like a leak.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from simtool.errors import first_line, listed
from simtool.models.errors import ModelError
from simtool.system.npy import npy_header
from simtool.system.space import scratch_file

__all__ = ["ColumnBlocks", "NpyMatrix", "read_vector"]


class ColumnBlocks:
    """A float32 matrix in a scratch file that is written by rows and read by blocks of columns.

    Each block of columns lies in one piece, so that both are done in large strides.

    Args:
        folder: for the scratch file.
        rows: at most this many will be written.
        columns: of the matrix.
        width: columns in a block; the last may have fewer.

    Attributes:
        blocks: the columns of each block.
        written: rows so far.
    """

    def __init__(self, folder: Path, rows: int, columns: int, width: int) -> None:
        self.blocks = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
        self.written = 0
        self._rows = rows
        self._file = scratch_file(folder, 4 * rows * columns, f"{rows:,} images of {columns:,} values")

    def append(self, rows: NDArray[np.float32]) -> None:
        """Write the next rows, (b, columns)."""
        for block in self.blocks:
            _write(self._file, self._offset(block, self.written), np.ascontiguousarray(rows[:, block], np.float32))
        self.written += len(rows)

    def read(self, block: slice) -> NDArray[np.float32]:
        """All rows written so far of one of the blocks, (written, width)."""
        values = np.empty((self.written, block.stop - block.start), np.float32)
        _read(self._file, self._offset(block, 0), values)
        return values

    def close(self) -> None:
        """Free the space on disk."""
        self._file.close()

    def _offset(self, block: slice, row: int) -> int:
        start, stop = block.start, block.stop
        return 4 * (self._rows * int(start) + row * int(stop - start))


class NpyMatrix:
    """A matrix in an open ``.npy`` file.

    Args:
        file: positioned anywhere, in the format of :func:`numpy.save`.
        name: for complaints.

    Attributes:
        shape: rows and columns.

    Raises:
        ModelError: it is not a plain float32 matrix, or the file is shorter or longer than its header says.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        shape = _header(file, name, np.float32)
        if len(shape) != 2:
            raise ModelError(f"{name}: expected a matrix, found the shape {list(shape)}")
        self.shape = (shape[0], shape[1])
        self._start = file.tell()

    @classmethod
    def create(cls, folder: Path, rows: int, columns: int, what: str) -> Self:
        """A new matrix of zeros in a scratch file; see :func:`simtool.system.space.scratch_file`."""
        file = scratch_file(folder, 4 * rows * columns, what)
        header = {"descr": npy.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": (rows, columns)}
        npy.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * rows * columns)
        return cls(file, what)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The matrix in a file.

        Raises:
            ModelError: as for the class.
            OSError: the file cannot be read.
        """
        return cls(path.open("rb", buffering=0), str(path))

    def read_rows(self, count: int) -> NDArray[np.float32]:
        """The first rows, (count, columns).

        Raises:
            ModelError: one of them holds NaN or infinity.
        """
        values = np.empty((count, self.shape[1]), np.float32)
        _read(self._file, self._start, values)
        _require_finite(self._name, values)
        return values

    def read_columns(self, block: slice) -> NDArray[np.float32]:
        """Some columns of all rows, (rows, width)."""
        values = np.empty((self.shape[0], block.stop - block.start), np.float32)
        for row, line in enumerate(values):
            _read(self._file, self._offset(row, block.start), line)
        return values

    def write_columns(self, block: slice, values: NDArray[np.floating[Any]]) -> None:
        """Set some columns of all rows from (rows, width)."""
        for row, line in enumerate(np.ascontiguousarray(values, np.float32)):
            _write(self._file, self._offset(row, block.start), line)

    def copy_to(self, path: Path, rows: int) -> None:
        """Write the first rows into a new ``.npy`` file.

        Raises:
            OSError: the place cannot be written, or is full.
        """
        with path.open("wb") as target:
            header = {"descr": npy.dtype_to_descr(np.dtype("<f4")), "fortran_order": False}
            npy.write_array_header_1_0(target, header | {"shape": (rows, self.shape[1])})
            for row in range(rows):
                line = np.empty(self.shape[1], np.float32)
                _read(self._file, self._offset(row, 0), line)
                target.write(line.data)

    def _offset(self, row: int, column: int) -> int:
        return self._start + 4 * (row * self.shape[1] + column)


def read_vector(path: Path, length: int) -> NDArray[np.float64]:
    """Read a float64 vector of known length from a ``.npy`` file from elsewhere.

    Raises:
        ModelError: the file holds anything else, NaN and infinities among it.
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        shape = _header(file, str(path), np.float64)
        if shape != (length,):
            raise ModelError(f"{path}: expected {length:,} values, found the shape {list(shape)}")
        values = np.empty(length)
        _read(file, file.tell(), values)
    _require_finite(str(path), values)
    return values


def _require_finite(name: str, values: NDArray[np.floating[Any]]) -> None:
    if (bad := np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))).size:
        raise ModelError(f"{name}: NaN or infinity in {bad.size:,} of {len(values):,} rows: {listed(bad)}")


def _header(file: IO[bytes], name: str, dtype: DTypeLike) -> tuple[int, ...]:
    """The shape in the header of a ``.npy`` file, which is left positioned at the values."""
    try:
        file.seek(0)
        shape, fortran, found = npy_header(file, os.fstat(file.fileno()).st_size)
    except ValueError as failure:
        raise ModelError(f"{name}: damaged, or not an array of numpy: {first_line(failure)}") from failure
    if found != np.dtype(dtype).newbyteorder("<") or fortran:
        raise ModelError(f"{name}: expected {np.dtype(dtype)} in rows, found {found}{' in columns' * fortran}")
    return shape


def _read(file: IO[bytes], offset: int, values: NDArray[Any]) -> None:
    """Fill a contiguous array from a place in a file."""
    view = values.reshape(-1).view(np.uint8).data
    while view:
        count = os.preadv(file.fileno(), [view], offset)
        if not count:
            raise EOFError("a matrix on disk ends early")
        view, offset = view[count:], offset + count


def _write(file: IO[bytes], offset: int, values: NDArray[Any]) -> None:
    """Write a contiguous array to a place in a file."""
    view = values.reshape(-1).view(np.uint8).data
    while view:
        count = os.pwrite(file.fileno(), view, offset)
        view, offset = view[count:], offset + count

"""Matrices and vectors in ``.npy`` files, read and written in blocks, and checked where they come from elsewhere."""

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
from simtool.system.scratch import read_at, write_at
from simtool.system.space import scratch_file

__all__ = ["NpyMatrix", "read_vector"]


class NpyMatrix:
    """A matrix in an open ``.npy`` file.

    Args:
        file: in the format of :func:`numpy.save`.
        name: of the file, for messages.

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
    def create(cls, folder: Path | None, rows: int, columns: int, what: str) -> Self:
        """A new matrix of zeros in a scratch file; see :func:`simtool.system.space.scratch_file`."""
        file = scratch_file(folder, 4 * rows * columns, what, reserve=True)
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
            ModelError: a row holds NaN or infinity.
        """
        values = np.empty((count, self.shape[1]), np.float32)
        read_at(self._file, self._start, values)
        _require_finite(self._name, values)
        return values

    def read_columns(self, block: slice) -> NDArray[np.float32]:
        """Some columns of all rows, (rows, width)."""
        values = np.empty((self.shape[0], block.stop - block.start), np.float32)
        for row, line in enumerate(values):
            read_at(self._file, self._offset(row, block.start), line)
        return values

    def write_columns(self, block: slice, values: NDArray[np.floating[Any]]) -> None:
        """Set some columns of all rows from (rows, width)."""
        for row, line in enumerate(np.ascontiguousarray(values, np.float32)):
            write_at(self._file, self._offset(row, block.start), line)

    def copy_to(self, path: Path, rows: int) -> None:
        """Write the first rows into a new ``.npy`` file."""
        with path.open("wb") as target:
            header = {"descr": npy.dtype_to_descr(np.dtype("<f4")), "fortran_order": False}
            npy.write_array_header_1_0(target, header | {"shape": (rows, self.shape[1])})
            for row in range(rows):
                line = np.empty(self.shape[1], np.float32)
                read_at(self._file, self._offset(row, 0), line)
                target.write(line.data)

    def _offset(self, row: int, column: int) -> int:
        return self._start + 4 * (row * self.shape[1] + column)


def read_vector(path: Path, length: int) -> NDArray[np.float64]:
    """Read a float64 vector of known length from a ``.npy`` file.

    Raises:
        ModelError: the file holds something else, or NaN or infinity.
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        shape = _header(file, str(path), np.float64)
        if shape != (length,):
            raise ModelError(f"{path}: expected {length:,} values, found the shape {list(shape)}")
        values = np.empty(length)
        read_at(file, file.tell(), values)
    _require_finite(str(path), values)
    return values


def _require_finite(name: str, values: NDArray[np.floating[Any]]) -> None:
    if (bad := np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))).size:
        raise ModelError(f"{name}: NaN or infinity in {bad.size:,} of {len(values):,} rows: {listed(bad)}")


def _header(file: IO[bytes], name: str, dtype: DTypeLike) -> tuple[int, ...]:
    """The shape in the header of a ``.npy`` file; afterwards the file is positioned at the values."""
    try:
        file.seek(0)
        shape, fortran, found = npy_header(file, os.fstat(file.fileno()).st_size)
    except ValueError as failure:
        raise ModelError(f"{name}: damaged, or not an array of numpy: {first_line(failure)}") from failure
    if found != np.dtype(dtype).newbyteorder("<") or fortran:
        raise ModelError(f"{name}: expected {np.dtype(dtype)} in rows, found {found}{' in columns' * fortran}")
    return shape

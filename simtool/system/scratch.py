"""Matrices in scratch files, read and written in blocks by plain calls.

Pages of a memory map count as memory of the process: on a node with a limit, a large file looks like a leak.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from simtool.system.space import running_out_of_space, scratch_file

__all__ = ["ColumnFile", "read_at", "write_at"]


class ColumnFile:
    """A matrix in a scratch file that is written by rows and read by blocks of columns.

    Each block of columns is contiguous in the file, so that reads and writes are long.

    Args:
        folder: for the scratch file; None for the system's temporary folder.
        shape: rows and columns.
        width: columns of a block; the last block may have fewer.
        purpose, option: as for :func:`simtool.system.space.scratch_file`, which names the errors.
        dtype: of the values.

    Attributes:
        blocks: the columns of each block.
    """

    def __init__(
        self,
        folder: Path | None,
        shape: tuple[int, int],
        width: int,
        purpose: str,
        dtype: DTypeLike = np.float32,
        option: str = "--scratch",
    ) -> None:
        self._rows, columns = shape
        self._dtype = np.dtype(dtype)
        self.blocks = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
        size = self._rows * columns * self._dtype.itemsize
        self._file = scratch_file(folder, size, purpose, option)
        self._full = partial(running_out_of_space, folder or Path(tempfile.gettempdir()), size, purpose)

    def write(self, row: int, values: NDArray[Any]) -> None:
        """Write consecutive rows, (b, columns), the first of them at ``row``."""
        with self._full():
            for block in self.blocks:
                write_at(self._file, self._offset(block, row), np.ascontiguousarray(values[:, block], self._dtype))

    def read(self, block: slice, row: int = 0, count: int | None = None) -> NDArray[Any]:
        """Read ``count`` rows of a block from ``row`` on, (count, width); None for all rows that follow."""
        values = np.empty((self._rows - row if count is None else count, block.stop - block.start), self._dtype)
        read_at(self._file, self._offset(block, row), values)
        return values

    def close(self) -> None:
        """Free the space on disk."""
        self._file.close()

    def _offset(self, block: slice, row: int) -> int:
        start, stop = block.start, block.stop
        return self._dtype.itemsize * (self._rows * int(start) + row * int(stop - start))


def read_at(file: IO[bytes], offset: int, values: NDArray[Any]) -> None:
    """Fill a contiguous array from a place in a file."""
    view = values.reshape(-1).view(np.uint8).data
    while view:
        count = os.preadv(file.fileno(), [view], offset)
        if not count:
            raise EOFError("a matrix on disk ends early")
        view, offset = view[count:], offset + count


def write_at(file: IO[bytes], offset: int, values: NDArray[Any]) -> None:
    """Write a contiguous array to a place in a file."""
    view = values.reshape(-1).view(np.uint8).data
    while view:
        count = os.pwrite(file.fileno(), view, offset)
        view, offset = view[count:], offset + count

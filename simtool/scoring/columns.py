"""Vectors in blocks of columns, over which the sums over coordinates run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.system.memory import available_memory
from simtool.system.scratch import ColumnFile
from simtool.tables.embeddings import EmbeddingTable

__all__ = [
    "Columns",
    "HeldColumns",
    "SpooledColumns",
    "block_width",
    "columns_of",
    "free_memory",
    "least_memory",
    "read_ahead",
]

#: Bytes of one vector in a block (measured: twice as many take twice the time). Shorter vectors are not copied.
_PIECE = 8192
#: Columns of a block at least.
_NARROWEST = 16
#: Bytes of a block at most; many vectors make it narrower.
_BLOCK = 256 << 20
#: Bytes of work space for each value of a block.
_WORK = 24
#: Rows that are spooled at a time, in bytes.
_ROWS = 16 << 20
#: Bytes for reading a table and for exact arithmetic, for a table of any size.
_READING = 96 << 20
#: The share of the free memory that vectors which are read ahead may take.
_AHEAD = 1 / 16
#: The free memory that is assumed if the system does not report it.
_UNKNOWN = 8 << 30


class HeldColumns:
    """Vectors in memory.

    Args:
        vectors: (N, D).
        rows: (n,) the rows to use, in order; None for all.
        width: columns to read at a time.

    Attributes:
        count: n.
        dimension: D.
        dtype: float32 or float64.
        width: how many columns to read at a time.
        largest: the largest absolute value, of float64; NaN where a value is.
    """

    def __init__(self, vectors: NDArray[Any], rows: NDArray[np.intp] | None = None, width: int | None = None) -> None:
        self.count, self.dimension = len(vectors) if rows is None else rows.size, vectors.shape[1]
        self.dtype = _exact_type(vectors.dtype)
        self.width = width or block_width(self.count, self.dtype)
        self._vectors, self._rows = vectors, rows
        self.largest = _largest(vectors if rows is None else vectors[rows]) if self.dtype == np.float64 else 0.0

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The columns ``start`` to ``stop`` of all vectors, (n, stop - start), C-contiguous."""
        block = self._vectors[:, start:stop]
        return np.ascontiguousarray(block if self._rows is None else block[self._rows], self.dtype)

    def take(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Some vectors whole, (rows, D), in double precision."""
        places = rows if self._rows is None else self._rows[rows]
        return np.asarray(self._vectors[places], np.float64)


class SpooledColumns:
    """Vectors too large to be held: a nameless scratch file keeps each block of columns in one piece.

    The attributes are those of :class:`HeldColumns`.

    Args:
        table: where they come from.
        rows: (n,) which vectors, in order.
        width: columns to read at a time.
    """

    def __init__(self, table: EmbeddingTable, rows: NDArray[np.intp], width: int | None = None) -> None:
        self.count, self.dimension, self.dtype = rows.size, table.info.dimension, _exact_type(table.dtype)
        self.width = width or block_width(self.count, self.dtype)
        shape = (self.count, self.dimension)
        self._file = ColumnFile(None, shape, self.width, "these vectors", self.dtype, "TMPDIR")
        step = max(1, _ROWS // (self.dimension * self.dtype.itemsize))
        self.largest = 0.0
        order = np.argsort(rows, kind="stable")  # the table's, so that no part of it is read twice
        for start in range(0, self.count, step):
            places = order[start : start + step]
            vectors = table.read(rows[places], self.dtype)
            self.largest = max(self.largest, _largest(vectors))
            for place, vector in zip(places.tolist(), vectors, strict=True):
                self._file.write(place, vector[np.newaxis])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """See :class:`HeldColumns`."""
        values = np.empty((self.count, stop - start), self.dtype)
        for block in self._file.blocks[start // self.width : -(-stop // self.width)]:
            low, high = max(start, block.start), min(stop, block.stop)
            stored = self._file.read(block)
            values[:, low - start : high - start] = stored[:, low - block.start : high - block.start]
        return values

    def take(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """See :class:`HeldColumns`."""
        vectors = np.empty((len(rows), self.dimension))
        for block in self._file.blocks:
            for place, row in enumerate(rows.tolist()):
                vectors[place, block] = self._file.read(block, row, 1)[0]
        return vectors

    def close(self) -> None:
        """Free the space on disk."""
        self._file.close()


#: n vectors of one dimension, which are read in blocks of columns.
Columns: TypeAlias = HeldColumns | SpooledColumns


def _exact_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that holds the stored values exactly: float32 for halves and singles, else float64."""
    return np.dtype(np.float32 if dtype in (np.float16, np.float32) else np.float64)


def _largest(vectors: NDArray[Any]) -> float:
    return max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))


def block_width(count: int, dtype: np.dtype[Any], most: int = _BLOCK) -> int:
    """How many columns of ``count`` vectors to read at a time; ``most`` bytes, unless the block is too narrow."""
    return max(_NARROWEST, min(_PIECE, most // count) // dtype.itemsize)


def free_memory() -> int:
    """The bytes that this process can take."""
    free = available_memory()
    return _UNKNOWN if free is None else free


def least_memory(count: int) -> int:
    """The bytes without which ``count`` vectors cannot be worked on, however short they are."""
    return _READING + count * _NARROWEST * (8 + _WORK)


def read_ahead(table: EmbeddingTable, rows: NDArray[np.intp]) -> None:
    """Begin to read some vectors of a table for :func:`columns_of`, if they are small beside the free memory."""
    dtype = _exact_type(table.dtype)
    if rows.size * table.info.dimension * dtype.itemsize <= _AHEAD * free_memory():
        table.read_ahead(rows, dtype)


@contextmanager
def columns_of(table: EmbeddingTable, rows: NDArray[np.intp], memory: int) -> Iterator[Columns]:
    """Open some vectors of a table for reading by columns. The table is read once.

    Args:
        table: of embeddings.
        rows: (n,) which vectors, in order.
        memory: bytes that they, and the work on them, may take, :func:`least_memory` or more; what is too large for
            it goes to a scratch file in ``TMPDIR``.

    Raises:
        TableError: a vector holds NaN or infinity.
        SpaceError: the disk has no space for the scratch file.
    """
    dtype = _exact_type(table.dtype)
    width = block_width(rows.size, dtype, min(_BLOCK, memory // 16))
    work = _READING + rows.size * width * (dtype.itemsize + _WORK)
    if rows.size * table.info.dimension * dtype.itemsize + work <= memory:
        yield HeldColumns(table.read(rows, dtype), width=width)
        return
    with closing(SpooledColumns(table, rows, width)) as spooled:
        yield spooled

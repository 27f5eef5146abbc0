"""Vectors of another program: their shape, their names, and their values in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, first_line, listed
from simtool.tables.files import check_unique
from simtool.text import counted

__all__ = ["NUMBERS", "Vectors", "VectorsError", "block_rows", "chosen_array", "reading", "shown_shape"]

#: The kinds of numpy types that hold the values of vectors.
NUMBERS = "fiub"
#: Bytes of a block of rows.
_BLOCK_BYTES = 4 << 20
#: The arrays of VICE's files: the means of the embedding, and their standard deviations.
_VICE = (("loc", "scale"), ("pruned_loc", "pruned_scale"))

Block = NDArray[np.floating[Any]] | NDArray[np.integer[Any]] | NDArray[np.bool_]


class VectorsError(SimtoolError):
    """Vectors of another program cannot be read, or have no clear names."""


@dataclass(frozen=True)
class Vectors:
    """Vectors that are read block by block.

    Attributes:
        path: the file or folder, for messages.
        rows: the number of vectors.
        shape: the shape of one vector before it is flattened.
        blocks: reads the vectors from the first to the last, in blocks (rows, D) that are flattened in C order.
        files: the files that are read.
        names: (rows,) the name of each vector, all different; None if the files hold no names.
    """

    path: Path
    rows: int
    shape: tuple[int, ...]
    blocks: Callable[[], Iterator[Block]]
    files: tuple[Path, ...]
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not self.rows or not self.dimension:
            raise VectorsError(f"{self.path}: it holds no vectors: {shown_shape((self.rows, *self.shape))}")
        if self.names is not None:
            if empty := sum(not name for name in self.names):
                raise VectorsError(f"{self.path}: {counted(empty, 'vectors')} without a name")
            check_unique(self.path, "name", self.names)

    @property
    def dimension(self) -> int:
        """D, the number of values of a vector."""
        return math.prod(self.shape)

    def named(self, names: Sequence[str], file: Path) -> Vectors:
        """The vectors with the names that a file lists, in its order.

        Raises:
            VectorsError: the numbers of vectors and names differ.
        """
        if len(names) != self.rows:
            raise VectorsError(
                f"{self.path}: {counted(self.rows, 'vectors')} ({shown_shape((self.rows, *self.shape))}), but {file} "
                f"lists {counted(len(names), 'names')}; it needs one name for each vector, in the same order"
            )
        return replace(self, names=names, files=tuple(dict.fromkeys((*self.files, file))))

    def refuse_distances(self) -> None:
        """Refuse a matrix of distances. Rows are read until one differs from such a matrix.

        Raises:
            VectorsError: the vectors form a square matrix with zeros on the diagonal only, and with symmetric blocks.
        """
        if self.rows == self.dimension > 2 and all(_are_distances(values[:, rows]) for rows, values in self.batches()):
            raise VectorsError(
                f"{self.path}: this is a square matrix of distances (symmetric, with a zero diagonal), not vectors; "
                "simtool import-distances takes it"
            )

    def batches(self) -> Iterator[tuple[slice, NDArray[np.floating[Any]]]]:
        """The rows and values of each block.

        Yields:
            The rows, and their vectors (rows, D), of the smallest floating type that holds the values.

        Raises:
            VectorsError: a value is NaN or infinite; the message names the vectors.
        """
        start = 0
        for block in self.blocks():
            values = np.asarray(block, np.result_type(block.dtype, np.float16))
            if (bad := np.flatnonzero(~np.isfinite(values).all(axis=1))).size:
                names = (self.names[start + row] if self.names else f"row {start + row}" for row in bad.tolist())
                raise VectorsError(f"{self.path}: NaN or infinity in {counted(bad.size, 'vectors')}: {listed(names)}")
            yield slice(start, start + len(values)), values
            start += len(values)


def _are_distances(square: NDArray[np.floating[Any]]) -> bool:
    """Whether a block on the diagonal of a square matrix, (rows, rows), can hold distances."""
    return not square.diagonal().any() and bool(square.any()) and np.allclose(square, square.T)


def block_rows(row_bytes: int) -> int:
    """The number of rows of a block."""
    return max(1, _BLOCK_BYTES // max(1, row_bytes))


def shown_shape(shape: Sequence[int]) -> str:
    """A shape as text: ``12 x 6``."""
    return " x ".join(map(str, shape)) or "one value"


def chosen_array(path: Path, arrays: Mapping[str, tuple[int, ...]], asked: str | None) -> str:
    """The name of the array of a file to read: the one that is asked for, or the only one.

    Of the two arrays of VICE, the means are the only ones that are vectors.

    Args:
        path: the file.
        arrays: the names and shapes of its arrays of numbers with two or more axes.
        asked: the value of ``--dataset``.

    Raises:
        VectorsError: the array does not exist, or there are several.
    """
    held = listed((f"{name} ({shown_shape(shape)})" for name, shape in arrays.items()), 12)
    if not arrays:
        raise VectorsError(f"{path}: it holds no array of numbers with a row for each image")
    if asked is not None and asked not in arrays:
        raise VectorsError(f"{path}: no array of vectors is called {asked}; it holds {held}")
    known = [pair[0] for pair in _VICE if set(pair) == set(arrays)] or list(arrays)
    if asked is None and len(known) > 1:
        raise VectorsError(f"{path}: it holds several arrays: {held}; choose one with --dataset")
    return asked if asked is not None else known[0]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Replace the exceptions of a library about a damaged file by one line.

    Raises:
        VectorsError: the library cannot read the file.
        OSError: the system cannot read the file.
    """
    try:
        yield
    except SimtoolError:
        raise
    except Exception as failure:  # readers of foreign formats raise many types
        if isinstance(failure, OSError) and failure.filename is not None:
            raise
        raise VectorsError(f"{path}: damaged, or not as stated ({first_line(failure)}); get it again") from failure

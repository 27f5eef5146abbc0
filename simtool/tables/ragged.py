"""Conversion between lists of unequal length and padded matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.tables.files import TableError
from simtool.text import counted

__all__ = ["lists_of", "padded"]


def padded(name: str, column: pa.ChunkedArray, fill: float, instead: pa.Array | None = None) -> NDArray[Any]:
    """Convert a column of lists to a matrix (rows, longest), padded at the end.

    Args:
        name: the name of the column.
        column: lists; null counts as empty.
        fill: the value after the end of a list.
        instead: numbers to use instead of the values in the lists.

    Raises:
        TableError: a list holds a missing value.
    """
    array = column.combine_chunks()
    flat = array.flatten() if instead is None else instead
    if flat.null_count:
        raise TableError(f"column {name} has {counted(flat.null_count, 'missing values')} inside its lists")
    values = flat.to_numpy()
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    width = int(lengths.max(initial=0))
    matrix: NDArray[Any] = np.full((lengths.size, width), fill, values.dtype)
    matrix[np.arange(width) < lengths[:, None]] = values
    return matrix


def lists_of(
    matrix: NDArray[Any], filled: NDArray[np.bool_], kind: pa.DataType, names: pa.Array | None = None
) -> pa.ListArray:
    """Convert the marked cells of each row of a matrix to a list.

    Args:
        matrix: (rows, width).
        filled: (rows, width), true for the cells of the lists.
        kind: the type of the cells.
        names: what the cells are positions in; the lists then hold the names.
    """
    offsets = np.zeros(len(matrix) + 1, np.int32)
    np.cumsum(filled.sum(axis=1), out=offsets[1:])
    values = pa.array(matrix[filled], kind)
    return pa.ListArray.from_arrays(pa.array(offsets), values if names is None else names.take(values))

"""Conversion of columns: to the types of the contract, and between lists of unequal length and padded matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import first_line
from simtool.tables.parquet import ARROW_FAILURES, TableError

__all__ = ["CODES", "as_type", "converted", "is_list", "lengths", "lists_of", "nearest", "padded", "stored"]

#: Text as positions in an Arrow array of texts.
CODES = pa.dictionary(pa.int32(), pa.string())

_LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType, pa.ListViewType, pa.LargeListViewType)
#: Types that can be cast to text without loss, like integers and dates.
_TEXT = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.null())


def as_type(part: Path, name: str, column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Convert a column of a file to a type of the contract: numbers, text, or lists of them.

    Text can be of any text type, bytes in UTF-8, dictionary-encoded, an integer or a date. Lists can have any layout.
    Numbers can have any type that holds the value; NaN in a column of integers becomes null.

    Raises:
        TableError: the column cannot be converted.
    """
    try:
        return pa.chunked_array([converted(chunk, wanted) for chunk in column.chunks], wanted)
    except ARROW_FAILURES as failure:
        text = str(wanted).replace(str(CODES), "string")
        other = "" if column.type == wanted else f" must be {text}, but is {column.type}"
        raise TableError(f"{part}: column {name}{other}: {first_line(failure)}") from failure


def converted(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Convert one chunk of a column to a type of the contract.

    Raises:
        pa.ArrowException: the chunk cannot be converted.
    """
    if wanted == CODES and isinstance(array, pa.DictionaryArray):
        return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int32()), converted(array.dictionary, pa.string()))
    array = stored(array)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), wanted)
    if pa.types.is_list(wanted):
        return _list(array, wanted)
    if wanted == CODES:
        return _text(array).dictionary_encode()
    return _text(array) if pa.types.is_string(wanted) else _number(array, wanted)


def stored(array: pa.Array) -> pa.Array:
    """Return the plain array of an extension, a dictionary or a view."""
    if isinstance(array, pa.DictionaryArray):
        return stored(array.dictionary).take(array.indices)
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    if pa.types.is_binary_view(array.type):
        return array.cast(pa.large_binary())
    if isinstance(array, pa.ExtensionArray):
        if array.type.extension_name == "arrow.uuid":
            return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
        return stored(array.storage)
    return array


def _list(array: pa.Array, wanted: pa.DataType) -> pa.ListArray:
    if not is_list(array.type):
        raise pa.ArrowTypeError("it has no lists")
    # Casting a sliced list view gives wrong offsets (pyarrow 18 to 26); its lengths and values are correct.
    values = converted(array.flatten(), wanted.value_type)
    lengths = pc.list_value_length(array)
    offsets = np.concatenate([[0], np.cumsum(pc.fill_null(lengths, 0).to_numpy())]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=wanted, mask=pc.is_null(lengths))


def _text(array: pa.Array) -> pa.Array:
    kind = array.type
    if kind in _TEXT or pa.types.is_integer(kind) or pa.types.is_temporal(kind):
        text = array.cast(pa.string())
        text.validate(full=True)  # Parquet does not guarantee UTF-8 in text columns.
        return text
    if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        # pandas converts integers with missing values to floats; a fraction is not an id.
        return _number(array, pa.int64()).cast(pa.string())
    raise pa.ArrowTypeError("it has no text")


def _number(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(array.type):
        raise pa.ArrowTypeError("it has dates or times, not numbers")
    if pa.types.is_boolean(array.type):
        raise pa.ArrowTypeError("it has booleans, not numbers")
    if pa.types.is_floating(array.type) and pa.types.is_integer(wanted):
        wide = array.cast(pa.float64())
        array = pc.if_else(pc.is_nan(wide), pa.scalar(None, pa.float64()), wide)
    if pa.types.is_decimal(array.type) and pa.types.is_floating(wanted):
        array = nearest(array)
    if pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    return array.cast(wanted)


def nearest(decimals: pa.Array) -> pa.Array:
    """Convert decimals to the nearest float64; Arrow's cast is often wrong in the last digit."""
    return decimals.cast(pa.string()).cast(pa.float64())


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is a list of any layout."""
    return isinstance(kind, _LISTS)


def padded(lists: pa.ListArray, values: NDArray[Any]) -> NDArray[Any]:
    """Convert lists to a matrix (rows, longest), padded with -1 at the end.

    Args:
        lists: (rows,) null counts as empty.
        values: numbers that replace the entries of all lists.
    """
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    width = int(lengths.max(initial=0))
    matrix: NDArray[Any] = np.full((lengths.size, width), -1, values.dtype)
    matrix[np.arange(width) < lengths[:, None]] = values
    return matrix


def lengths(matrix: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """The number of values in each row of a matrix that is padded with -1."""
    # Sums of short rows are several times slower than sums of columns that are contiguous in memory.
    found: NDArray[np.int32] = (np.ascontiguousarray(matrix.T) >= 0).sum(axis=0, dtype=np.int32)
    return found


def lists_of(matrix: NDArray[np.integer[Any]], values: pa.Array) -> pa.ListArray:
    """Lists of the values of a matrix that is padded with -1: ``values`` has one for each cell that is not padding."""
    offsets = np.zeros(len(matrix) + 1, np.int32)
    np.cumsum(lengths(matrix), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values)

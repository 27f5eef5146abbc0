"""Conversion of columns of vectors to matrices: lists, fixed-size lists, nested lists, tensors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.tables.columns import is_list, nearest, stored
from simtool.tables.parquet import TableError
from simtool.text import counted, plural

__all__ = ["are_ragged", "as_matrix", "common_shape", "value_dtype"]

#: Codes instead of a length: a missing list, and lists of unequal shape in one vector.
_MISSING, _RAGGED = -1, -2


def value_dtype(path: Path, kind: pa.DataType) -> np.dtype[Any]:
    """Return the numpy type of the numbers in a column of vectors.

    Raises:
        TableError: the column has no lists of numbers.
    """
    value = _storage(kind)
    depth = 0
    while is_list(value):
        value, depth = _storage(value.value_type), depth + 1
    if pa.types.is_null(value):
        return np.dtype(np.float32)
    if depth and pa.types.is_decimal(value):
        return np.dtype(np.float64)
    if not depth or not (pa.types.is_integer(value) or pa.types.is_floating(value)):
        raise TableError(f"{path}: column embedding must have lists of numbers, but is {kind}")
    numbers: np.dtype[Any] = np.dtype(value.to_pandas_dtype())
    return numbers


def common_shape(column: pa.Array) -> tuple[int, ...]:
    """Return the most frequent shape of the vectors; empty if no vector has values."""
    shapes = Counter(tuple(shape) for shape in _shapes(column).tolist() if min(shape) > 0)
    return max(shapes, key=shapes.__getitem__, default=())


def are_ragged(column: pa.Array) -> bool:
    """Return whether a vector has rows of unequal length."""
    return bool((_shapes(column) == _RAGGED).any())


def as_matrix(
    path: Path, column: pa.Array, shape: tuple[int, ...], dtype: np.dtype[Any], name: Callable[[int], str]
) -> NDArray[Any]:
    """Convert vectors to a matrix, each flattened in row-major order; without a copy if Arrow allows it.

    Args:
        path: the file, for messages.
        column: (rows,) vectors.
        shape: the shape of every vector.
        dtype: the type of the numbers.
        name: returns the name of a row for messages.

    Returns:
        (rows, D).

    Raises:
        TableError: a vector is missing, has another shape, or has a missing value.
    """
    if _unlike(column, shape).size:
        usual = common_shape(column) or shape
        rows = _unlike(column, usual)
        if not rows.size:
            usual, rows = shape, _unlike(column, shape)
        found = _shapes(column)
        faults = [f"{name(int(row))}: {_described(found[row].tolist())}" for row in rows]
        raise TableError(
            f"{path}: all vectors must have {_described(usual)}; "
            f"{counted(len(faults), 'vectors')} {plural(len(faults), 'differ', 'differs')}: {listed(faults)}"
        )
    values = _stored(column)
    while is_list(values.type):
        values = _stored(values.flatten())
    if values.null_count:
        nulls = np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))
        rows = np.unique(nulls // math.prod(shape))
        names = listed(name(int(row)) for row in rows)
        raise TableError(f"{path}: missing values in {counted(rows.size, 'vectors')}: {names}")
    if pa.types.is_decimal(values.type):
        values = nearest(values)
    matrix: NDArray[Any] = values.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    return _in_logical_order(matrix, column.type, len(column), shape)


def _storage(kind: pa.DataType) -> pa.DataType:
    """Return the storage type of an extension, or of a group of one field, as older versions of DuckDB write it."""
    if isinstance(kind, pa.BaseExtensionType):
        return _storage(kind.storage_type)
    return _storage(kind.field(0).type) if _is_group(kind) else kind


def _is_group(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind) and kind.num_fields == 1 and kind.field(0).name in ("element", "item"))


def _stored(array: pa.Array) -> pa.Array:
    """Return the storage of an array: see :func:`_storage`."""
    array = stored(array)
    return _stored(pc.struct_field(array, 0)) if _is_group(array.type) else array


def _shapes(column: pa.Array) -> NDArray[np.int64]:
    """Return (rows, depth), the shape of each vector; codes in the first axis mark missing and ragged vectors."""
    if isinstance(column, pa.FixedShapeTensorArray):
        logical = np.array([column.type.shape[axis] for axis in _axes(column.type)], np.int64)
        shapes: NDArray[np.int64] = np.tile(logical, (len(column), 1))
        shapes[pc.is_null(column).to_numpy(zero_copy_only=False)] = _MISSING
        return shapes
    column = _stored(column)
    if pa.types.is_null(column.type):
        return np.full((len(column), 1), _MISSING, np.int64)
    lengths: NDArray[np.int64] = pc.fill_null(pc.list_value_length(column), _MISSING).to_numpy().astype(np.int64)
    if not is_list(_storage(column.type.value_type)):
        return lengths[:, None]
    inner = _shapes(column.flatten())
    result = np.column_stack([lengths, np.zeros((len(lengths), inner.shape[1]), np.int64)])
    if (filled := np.flatnonzero(lengths > 0)).size:
        starts = np.concatenate([[0], np.cumsum(lengths[filled])[:-1]])
        low, high = np.minimum.reduceat(inner, starts), np.maximum.reduceat(inner, starts)
        result[filled, 1:] = low
        result[filled[(low != high).any(axis=1)]] = _RAGGED
        result[filled[(low == _MISSING).any(axis=1)]] = _RAGGED
    return result


def _unlike(column: pa.Array, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the rows whose vectors have another shape."""
    found = _shapes(column)
    return np.flatnonzero((found != shape).any(axis=1) if found.shape[1] == len(shape) else np.ones(len(column), bool))


def _described(shape: tuple[int, ...] | list[int]) -> str:
    if shape[0] == _MISSING:
        return "missing"
    if _RAGGED in shape:
        return "rows of unequal length"
    return counted(shape[0], "values") if len(shape) == 1 else f"{' x '.join(map(str, shape))} values"


def _axes(kind: pa.FixedShapeTensorType) -> list[int]:
    """Return the stored axis of each logical axis of a tensor."""
    return list(kind.permutation or range(len(kind.shape)))


def _in_logical_order(values: NDArray[Any], kind: pa.DataType, rows: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return (rows, D) with the axes of a tensor in logical order."""
    if isinstance(kind, pa.FixedShapeTensorType) and (axes := _axes(kind)) != sorted(axes):
        tensors = values.reshape(rows, *kind.shape).transpose(0, *(axis + 1 for axis in axes))
        return np.ascontiguousarray(tensors).reshape(rows, -1)
    return values.reshape(rows, math.prod(shape))

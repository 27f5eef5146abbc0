"""Arrow, Feather and Parquet files of any program: a column of names, and the vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from simtool.errors import listed
from simtool.kinds import Kind, What
from simtool.tables.columns import as_type, is_list
from simtool.tables.embeddings import KIND
from simtool.tables.files import check_kind, metadata_of, open_parquet, strings
from simtool.tables.parquet import reading
from simtool.tables.vectors import as_matrix, common_shape, value_dtype
from simtool.vectors.vectors import Block, Vectors, VectorsError

__all__ = ["open_arrow"]

#: Names of the column of names, in order of preference.
_NAMES = ("image_id", "name", "id", "image", "filename", "file_name", "path")
_ROWS = 1024
#: The first bytes of Arrow files, which are Feather's second version, and of Feather's first version.
_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"

Batches = Callable[[list[str] | None], Iterator[pa.RecordBatch]]


def open_arrow(path: Path, kind: Kind, asked: str | None) -> Vectors:
    """Open a table whose vectors are one column of lists, or many columns of numbers.

    Args:
        path: the file.
        kind: its kind.
        asked: the column of lists; None for the only one.

    Raises:
        VectorsError: the table has no vectors, or several columns of lists.
        TableError: it cannot be read, is another table of simtool, or has vectors of unequal lengths or repeated names.
    """
    batches = _parquet(path) if kind.what is What.PARQUET else _arrow(path)
    with reading(path):
        first = next(batches(None), None)
        _ = first and first.schema.names  # a damaged name cannot be decoded
    if first is None:
        raise VectorsError(f"{path}: it has no rows")
    check_kind(path, metadata_of(first.schema), KIND)
    named = _column_of_names(first.schema)
    names = None if named is None else _names(path, batches, named)
    lists = [field.name for field in first.schema if is_list(_storage(field.type))]
    if asked is not None and asked not in lists:
        raise VectorsError(f"{path}: no column of vectors is called {asked}; it has {listed(lists) or 'none'}")
    if len(lists) > 1 and asked is None:
        raise VectorsError(
            f"{path}: it holds several columns of vectors: {listed(lists, 9)}; choose one with --dataset"
        )
    if lists:
        return _of_lists(path, batches, asked or lists[0], names)
    return _of_numbers(path, batches, [field for field in first.schema if field.name != named], names)


def _of_lists(path: Path, batches: Batches, column: str, names: Sequence[str] | None) -> Vectors:
    """The vectors of a column of lists."""
    rows, dtype = 0, np.dtype(np.float32)
    shape: tuple[int, ...] = ()
    for batch in _read(path, batches, [column]):
        dtype = value_dtype(path, batch.column(0).type)
        shape = shape or common_shape(batch.column(0))
        rows += batch.num_rows

    def blocks() -> Iterator[Block]:
        start = 0
        for batch in _read(path, batches, [column]):
            yield as_matrix(path, batch.column(0), shape, dtype, _row(names, start))
            start += batch.num_rows

    return Vectors(path, rows, shape or (0,), blocks, (path,), names)


def _of_numbers(path: Path, batches: Batches, fields: Sequence[pa.Field], names: Sequence[str] | None) -> Vectors:
    """The vectors whose values are columns."""
    columns = [field.name for field in fields]
    if others := [field.name for field in fields if not _is_number(field.type)]:
        raise VectorsError(f"{path}: column {listed(others)} holds no numbers; keep the names and the values only")
    rows = sum(batch.num_rows for batch in _read(path, batches, columns[:1]))

    def blocks() -> Iterator[Block]:
        start = 0
        for batch in _read(path, batches, columns):
            if empty := [name for name, column in zip(columns, batch.columns, strict=True) if column.null_count]:
                raise VectorsError(f"{path}: column {listed(empty)} has missing values")
            yield np.column_stack(
                [column.to_numpy(zero_copy_only=False).astype(np.float64) for column in batch.columns]
            )
            start += batch.num_rows

    return Vectors(path, rows, (len(columns),), blocks, (path,), names)


def _column_of_names(schema: pa.Schema) -> str | None:
    """The column of names: one that is called so, else the only column of text; None without one."""
    if known := [name for name in _NAMES if name in schema.names and not is_list(_storage(schema.field(name).type))]:
        return known[0]
    texts = [field.name for field in schema if _is_text(field.type)]
    return texts[0] if len(texts) == 1 else None


def _names(path: Path, batches: Batches, column: str) -> list[str]:
    """The cells of the column of names; an empty text where a cell is missing."""
    names: list[str] = []
    for batch in _read(path, batches, [column]):
        cells = as_type(path, column, pa.chunked_array([batch.column(0)]), pa.string())
        names.extend(strings(cells.fill_null("")))
    return names


def _row(names: Sequence[str] | None, start: int) -> Callable[[int], str]:
    return lambda row: f"row {start + row}" + ("" if names is None else f" ({names[start + row]})")


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _read(path: Path, batches: Batches, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read columns batch by batch, with the errors of tables."""
    with reading(path):
        found = batches(columns)
    while True:
        with reading(path):
            batch = next(found, None)
        if batch is None:
            return
        yield batch


def _parquet(path: Path) -> Batches:
    file = open_parquet(path)
    return lambda columns: file.iter_batches(_ROWS, columns=columns)


def _arrow(path: Path) -> Batches:
    def batches(columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        for batch in _whole_batches(path):
            for start in range(0, batch.num_rows, _ROWS):
                part = batch.slice(start, _ROWS)
                yield part if columns is None else part.select(columns)

    return batches


def _whole_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a file or of a stream."""
    from pyarrow import ipc

    with pa.OSFile(str(path)) as source:
        start = source.read(len(_FILE))
        source.seek(0)
        if start == _FILE:
            file = ipc.open_file(source)
            yield from (file.get_batch(at) for at in range(file.num_record_batches))
        elif start.startswith(_FEATHER_1):
            raise VectorsError(f"{path}: this is version 1 of Feather; write it again, as version 2")
        else:
            yield from ipc.open_stream(source)

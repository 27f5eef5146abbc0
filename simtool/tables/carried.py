"""Columns that simtool does not know, carried along as they are: a condition, a split, an age group."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.tables.files import TableError, open_parquet, part_files

__all__ = ["Carried", "carried_names", "described", "read_carried", "rows_of"]

#: Columns by name, one value for each row.
Carried = Mapping[str, pa.Array]

#: What a table of outcomes adds to the columns of the trials.
_OF_OUTCOMES = frozenset(
    ("model", "distance", "credits", "relations", "top_1", "ordered", "unordered", "log_likelihood")
)
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def carried_names(names: Iterable[str]) -> dict[str, str]:
    """The names under which columns are carried: their own, with ``trial_`` before it where outcomes use the name."""
    taken = list(names)
    carried: dict[str, str] = {}
    for name in taken:
        new = name
        while new.casefold() in _OF_OUTCOMES or (new != name and new in taken):
            new = f"trial_{new}"
        carried[name] = new
    return carried


def read_carried(path: Path, known: Collection[str]) -> pa.Table:
    """Read the columns of a table other than the known ones.

    Args:
        path: a Parquet file, or a folder of parts; a part that lacks a column has nulls in it.
        known: names of columns to leave out.

    Raises:
        TableError: a column occurs twice, or its types in the parts do not fit together.
    """
    pieces = [_read_part(part, known) for part in part_files(path)]
    try:
        return pa.concat_tables(pieces, promote_options="permissive").combine_chunks()
    except pa.ArrowException as failure:
        reason = str(failure).splitlines()[0]
        raise TableError(f"{path}: its parts hold a column in types that do not fit together: {reason}") from failure


def _read_part(part: Path, known: Collection[str]) -> pa.Table:
    file = open_parquet(part)
    others = [name for name in file.schema_arrow.names if name not in known and not _PANDAS_INDEX.fullmatch(name)]
    if repeated := sorted({name for name in others if others.count(name) > 1}):
        raise TableError(f"{part}: the file has column {listed(repeated)} more than once; keep one of them")
    try:
        # Without columns a table has no rows either, so that nothing else tells how many there are.
        table = file.read(columns=others) if others else pa.table({"": pa.nulls(file.metadata.num_rows)}).select([])
        return pa.table({name: _plain(table.column(name)) for name in others}) if others else table
    except (pa.ArrowException, OSError) as failure:
        raise TableError(f"{part}: damaged: {str(failure).splitlines()[0]}") from failure


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text in whatever spelling as plain text; everything else as it is."""
    inner = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_large_string(inner) or pa.types.is_string_view(inner):
        inner = pa.string()
    return column.cast(inner)


def rows_of(columns: Carried, rows: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> dict[str, pa.Array]:
    """Some rows of columns: at positions, where a mask is true, or in a slice."""
    if isinstance(rows, slice):
        return {name: column[rows] for name, column in columns.items()}
    taken = pa.array(np.flatnonzero(rows) if rows.dtype == bool else rows)
    return {name: column.take(taken) for name, column in columns.items()}


def described(columns: Carried) -> str:
    """Names and types of columns: ``condition (string), age (int64)``."""
    return listed((f"{name} ({column.type})" for name, column in columns.items()), 12) or "none"

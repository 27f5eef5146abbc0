"""Columns that simtool does not know and keeps unchanged: a condition, a split, an age group."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.tables.columns import converted
from simtool.tables.files import CREDIT, LIKELIHOOD, PROBABILITY, check_columns, open_parquet
from simtool.tables.parquet import ARROW_FAILURES, TableError, reading
from simtool.tables.parts import hive_keys, part_files

__all__ = ["VERSION_1", "Carried", "carried_names", "described", "joined", "read_carried", "rows_of"]

#: Columns by name, one value for each row.
Carried = Mapping[str, pa.Array]

#: Columns that only version 1 of the outcomes has.
VERSION_1 = frozenset(("model", "distance", "credits", "relations", "top_1", "ordered", "unordered", "log_likelihood"))
#: The columns that trials and outcomes have themselves.
_OWN = VERSION_1.union(
    ("trial_id", "trial_type", "query", "references", "selected", "participant", "session", "weight", "response_ms")
)
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def carried_names(names: Iterable[str]) -> dict[str, str]:
    """The names under which columns are kept. A name that the tables use themselves gets the prefix ``source_``."""
    taken = list(names)
    carried: dict[str, str] = {}
    for name in taken:
        new = name
        while _is_own(new.casefold()) or (new != name and new in taken):
            new = f"source_{new}"
        carried[name] = new
    return carried


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith((CREDIT, LIKELIHOOD, PROBABILITY))


def read_carried(path: Path, known: Collection[str]) -> pa.Table:
    """Read all columns of a table except the known columns. A part that lacks a column has nulls in it.

    Raises:
        TableError: a column occurs twice, or its types in the parts do not fit together.
    """
    pieces = [_read_part(part, {*known, ""}, hive_keys(part, path)) for part in part_files(path)]
    filled = [piece for piece in pieces if piece.num_rows] or pieces[:1]
    try:
        return pa.concat_tables(filled, promote_options="permissive").combine_chunks()
    except ARROW_FAILURES as failure:
        raise TableError(
            f"{path}: its parts hold a column in types that do not fit together: {first_line(failure)}"
        ) from failure


def _read_part(part: Path, known: Collection[str], keys: Mapping[str, str | None]) -> pa.Table:
    """The unknown columns of a part, and the columns that its folders state."""
    file = open_parquet(part)
    count = file.metadata.num_rows
    others = [name for name in file.schema_arrow.names if name not in known and not _PANDAS_INDEX.fullmatch(name)]
    check_columns(part, others, sorted(set(others)))
    with reading(part):
        # A table without columns has no rows, so this column keeps their number.
        columns = {"": pa.nulls(count)}
        columns |= {name: pa.array([value] * count, pa.string()) for name, value in keys.items() if name not in known}
        if others:
            table = file.read(columns=others)
            columns |= {name: _plain(table.column(name)) for name in others}
        return pa.table(columns).select(list(columns)[1:])


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text of any spelling as plain text; other types unchanged."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_text = any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))
    wanted = pa.string() if is_text else kind
    if column.type == wanted and not is_text:
        return column
    return pa.chunked_array([converted(chunk, wanted) for chunk in column.chunks], wanted)


def rows_of(columns: Carried, rows: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> dict[str, pa.Array]:
    """Some rows of columns: at positions, where a mask is true, or in a slice."""
    if isinstance(rows, slice):
        return {name: column[rows] for name, column in columns.items()}
    taken = pa.array(np.flatnonzero(rows) if rows.dtype == bool else rows)
    return {name: column.take(taken) for name, column in columns.items()}


def joined(sets: Sequence[tuple[Carried, int]]) -> dict[str, pa.Array]:
    """Columns of several tables one after the other.

    A table that lacks a column has nulls in it. If the types of a column do not fit together, it becomes text. A column
    that cannot become text is left out.

    Args:
        sets: the columns of each table, and its number of rows.
    """
    names = dict.fromkeys(name for columns, _ in sets for name in columns)
    pieces = {name: [columns.get(name, pa.nulls(count)) for columns, count in sets] for name in names}
    found = {name: _concatenated(own) for name, own in pieces.items()}
    return {name: column for name, column in found.items() if column is not None}


def _concatenated(pieces: Sequence[pa.Array]) -> pa.Array | None:
    """Arrays one after the other, as text if their types do not fit together; None if they cannot be text."""
    plain = [piece.cast(_without_dictionaries(piece.type)) for piece in pieces]
    for as_text in (False, True):
        try:
            own = [converted(piece, pa.string()) for piece in plain] if as_text else plain
            tables = [pa.table({"": piece}) for piece in own]
            return pa.concat_tables(tables, promote_options="permissive").column("").combine_chunks()
        except ARROW_FAILURES:
            continue
    return None


def _without_dictionaries(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.list_(_without_dictionaries(kind.value_type)) if pa.types.is_list(kind) else kind


def described(columns: Carried) -> str:
    """Names and types of columns: ``condition (string), age (int64)``."""
    return listed((f"{name} ({column.type})" for name, column in columns.items()), 12) or "none"

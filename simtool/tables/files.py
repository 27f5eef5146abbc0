"""What every table shares: the metadata of the contract, parts, strict writing and forgiving reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simtool.errors import SimtoolError, listed
from simtool.kinds import Door, explain, wrong_table
from simtool.tables.atomic import atomic_folder, atomic_path
from simtool.tables.provenance import Provenance

__all__ = [
    "VERSION",
    "TableError",
    "atomic_folder",
    "atomic_path",
    "check_kind",
    "check_unique",
    "metadata_of",
    "objects",
    "open_parquet",
    "part_files",
    "part_name",
    "read_columns",
    "require_set_of",
    "schema_with_metadata",
    "strings",
    "write_table",
]

#: The version of the contract that this program writes.
VERSION = 1

_KEY = b"simtool"
_PART = re.compile(r"part-(\d+)-of-(\d+)\.parquet")


class TableError(SimtoolError):
    """A table is not what the contract asks for; the message names the file and the first rows at fault."""


def part_name(index: int, count: int) -> str:
    """The file name of one part of a sharded table: ``part-00003-of-00016.parquet``, counted from 0."""
    return f"part-{index:05d}-of-{count:05d}.parquet"


def part_files(path: Path, door: Door = Door.TABLE) -> list[Path]:
    """The Parquet files that make up a table: the file itself, or the parts in a folder, in order.

    Args:
        path: a Parquet file, or a folder of part files.
        door: which table is asked for, for complaints.

    Raises:
        TableError: nothing is there, the folder holds no Parquet file, or its numbered set is incomplete.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TableError(explain(path, door))
    files = sorted(file for file in path.glob("*.parquet") if not file.name.startswith("."))
    if not files:
        raise TableError(explain(path, door))
    numbered = {file: match for file in files if (match := _PART.fullmatch(file.name))}
    if not numbered:
        return files
    if strangers := [file.name for file in files if file not in numbered]:
        raise TableError(f"{path}: {listed(strangers)} does not belong to the numbered parts beside it")
    return _complete_set(path, {file: (int(match[1]), int(match[2])) for file, match in numbered.items()})


def _complete_set(folder: Path, numbers: Mapping[Path, tuple[int, int]]) -> list[Path]:
    """Check that parts ``(index, count)`` form one complete set, counted from 0 (or, from elsewhere, from 1)."""
    counts = {count for _, count in numbers.values()}
    if len(counts) > 1:
        raise TableError(f"{folder}: parts of different sets lie together (of {listed(sorted(counts))})")
    (count,) = counts
    by_index = {index: file for file, (index, _) in numbers.items()}
    expected = range(1, count + 1) if set(by_index) == set(range(1, count + 1)) else range(count)
    if missing := [index for index in expected if index not in by_index]:
        parts = _ranges(missing)
        raise TableError(
            f"{folder}: the set of {count} parts is incomplete, {len(missing)} missing: "
            f"{listed(part_name(index, count) for index in missing)}; "
            f"run embed --shard I/{count} for I = {parts} (as a SLURM array: --array={parts})"
        )
    if surplus := sorted(set(by_index) - set(expected)):
        raise TableError(f"{folder}: {by_index[surplus[0]].name} is outside a set of {count} parts counted from 0")
    return [by_index[index] for index in expected]


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as SLURM writes the tasks of an array: ``3,7-9``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def require_set_of(folder: Path, count: int) -> None:
    """Refuse to put a part of a set of ``count`` into a folder that holds parts of another set.

    Raises:
        TableError: naming what is there.
    """
    for file in sorted(folder.glob("*.parquet")):
        if (match := _PART.fullmatch(file.name)) and int(match[2]) != count:
            raise TableError(
                f"{folder}: holds {file.name}, which is of a set of {int(match[2])} parts and not of {count}; "
                "say --shard I/N if this is to be one of them, else delete it or name another folder"
            )


def open_parquet(path: Path, door: Door = Door.TABLE) -> pq.ParquetFile:
    """Open a Parquet file and read its footer.

    Args:
        path: the file.
        door: which table is asked for; the complaint says how a file of another kind becomes one.

    Raises:
        TableError: the file is missing, truncated or not Parquet.
    """
    try:
        return pq.ParquetFile(path.absolute(), pre_buffer=False, memory_map=False)
    except FileNotFoundError as failure:
        raise TableError(f"{path}: no such file") from failure
    except (pa.ArrowException, OSError) as failure:
        raise TableError(explain(path, door, _first_line(failure))) from failure


def metadata_of(schema: pa.Schema) -> dict[str, Any]:
    """The contract's metadata of a Parquet schema; empty where another program wrote it."""
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        return {}
    try:
        content = json.loads(raw)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def check_kind(path: Path, metadata: Mapping[str, Any], kind: str) -> None:
    """Refuse a table that says that it is of another kind, or of a newer contract.

    Raises:
        TableError: naming what the table is.
    """
    found = metadata.get("table", kind)
    if found != kind:
        raise TableError(wrong_table(path, str(found), kind))
    version = metadata.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise TableError(f"{path}: written for version {version} of the tables, this program reads up to {VERSION}")


def schema_with_metadata(schema: pa.Schema, kind: str, provenance: Provenance, extra: Mapping[str, Any]) -> pa.Schema:
    """A schema that carries the contract's metadata as one JSON object."""
    content = {"table": kind, "version": VERSION, **provenance.to_json(), **extra}
    return schema.with_metadata({_KEY: json.dumps(content, ensure_ascii=False).encode()})


def write_table(
    path: Path, table: pa.Table, kind: str, provenance: Provenance, extra: Mapping[str, Any] | None = None
) -> None:
    """Write a small table in one piece, atomically; ``extra`` is added to its metadata.

    Raises:
        OSError: the place cannot be written.
    """
    schema = schema_with_metadata(table.schema, kind, provenance, extra or {})
    with atomic_path(path) as temporary:
        pq.write_table(table.cast(schema), temporary, compression="zstd")


def read_columns(
    path: Path, kind: str, required: Mapping[str, pa.DataType], optional: Mapping[str, pa.DataType]
) -> pa.Table:
    """Read the named columns of a table, whatever faithful spelling they have, as the contract's types.

    Args:
        path: a Parquet file or a folder of parts.
        kind: ``images``, ``trials`` or ``outcomes``; what the complaint calls it.
        required: columns that must be there, without nulls.
        optional: columns that are null where they are missing.

    Returns:
        The columns in the order required, optional; one chunk each.

    Raises:
        TableError: naming the column, and for nulls the first rows.
    """
    pieces = [_read_part(part, kind, required, optional) for part in part_files(path, Door.of(kind))]
    table = pa.concat_tables(pieces).combine_chunks()
    for name in required:
        if table.column(name).null_count:
            rows = np.flatnonzero(pc.is_null(table.column(name)).to_numpy())
            raise TableError(f"{path}: column {name} has {rows.size:,} missing values, at rows {listed(rows)}")
    return table


def _read_part(
    part: Path, kind: str, required: Mapping[str, pa.DataType], optional: Mapping[str, pa.DataType]
) -> pa.Table:
    file = open_parquet(part, Door.of(kind))
    schema = file.schema_arrow
    check_kind(part, metadata_of(schema), kind)
    if missing := [name for name in required if name not in schema.names]:
        raise TableError(f"{part}: a table of {kind} needs column {listed(missing)}; found {listed(schema.names, 12)}")
    wanted = {**required, **optional}
    try:
        table = file.read(columns=[name for name in wanted if name in schema.names])
    except (pa.ArrowException, OSError) as failure:
        raise TableError(f"{part}: damaged: {_first_line(failure)}") from failure
    columns = [
        _as_type(part, name, table.column(name), kind_of) if name in schema.names else pa.nulls(table.num_rows, kind_of)
        for name, kind_of in wanted.items()
    ]
    return pa.table(dict(zip(wanted, columns, strict=True)))


def _as_type(part: Path, name: str, column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    found = column.type
    try:
        if pa.types.is_string(wanted) and not _is_text(found):
            raise pa.ArrowTypeError(f"it holds {found}")
        return column.cast(wanted)
    except (pa.ArrowException, NotImplementedError) as failure:
        raise TableError(
            f"{part}: column {name} should be {wanted} but is {found}: {_first_line(failure)}"
        ) from failure


def _is_text(found: pa.DataType) -> bool:
    inner = found.value_type if pa.types.is_dictionary(found) else found
    return any(
        test(inner)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    )


def _first_line(failure: BaseException) -> str:
    return str(failure).splitlines()[0] if str(failure) else type(failure).__name__


def strings(column: pa.ChunkedArray | pa.Array) -> NDArray[np.object_]:
    """A column of text as a numpy array of ``str`` (and None for null)."""
    values: NDArray[np.object_] = (
        column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    )
    return values.astype(object, copy=False)


def objects(values: Sequence[Any] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Texts (and Nones) as a numpy array of objects, which no longest text widens."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def check_unique(path: Path, name: str, values: NDArray[Any] | Sequence[Any]) -> None:
    """Refuse repeated keys.

    Raises:
        TableError: naming the first repeated values and where they stand.
    """
    encoded = pc.dictionary_encode(pa.array(values))
    codes = encoded.indices.to_numpy()
    counts = np.bincount(codes, minlength=len(encoded.dictionary))
    if counts.size == codes.size:
        return
    repeated = np.flatnonzero(counts > 1)
    raise TableError(
        f"{path}: {name} is not unique, {repeated.size:,} repeated: {listed(_where(encoded, codes, repeated[:4]))}"
    )


def _where(encoded: pa.DictionaryArray, codes: NDArray[np.int32], repeated: NDArray[np.intp]) -> Iterable[str]:
    for code in repeated:
        rows = np.flatnonzero(codes == code)
        yield f"{encoded.dictionary[code].as_py()} (rows {' and '.join(str(row) for row in rows[:2])})"

"""Shared behaviour of all tables: metadata of the contract, parts, strict writing and tolerant reading."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.kinds import Expected, explain, wrong_table
from simtool.system.threads import made_ahead
from simtool.tables.atomic import atomic_folder, atomic_path
from simtool.tables.columns import CODES, as_type
from simtool.tables.parquet import ARROW_FAILURES, READING, WRITING, TableError, check_footer, reading, writer_of_codes
from simtool.tables.parts import hive_keys, part_files, part_name, require_set_of
from simtool.tables.provenance import Provenance, file_state
from simtool.text import counted, plural

__all__ = [
    "CREDIT",
    "LIKELIHOOD",
    "PROBABILITY",
    "TableError",
    "atomic_folder",
    "atomic_path",
    "check_columns",
    "check_kind",
    "check_unchanged",
    "check_unique",
    "file_state",
    "kind_by_columns",
    "lacking",
    "metadata_of",
    "objects",
    "open_parquet",
    "part_files",
    "part_name",
    "read_batches",
    "read_columns",
    "require_set_of",
    "row_groups",
    "schema_of",
    "schema_with_metadata",
    "strings",
    "table_kind",
    "write_groups",
    "write_table",
]

#: The versions of the contract that this program writes.
VERSIONS = {"images": 1, "embeddings": 1, "distances": 1, "trials": 1, "outcomes": 2}

#: How the names of outcomes' columns of credit, of log-likelihoods and of probabilities begin.
CREDIT, LIKELIHOOD, PROBABILITY = "credit: ", "log_likelihood: ", "probability: "

#: A column that only one kind of table has, for tables that do not state their kind.
_TELLTALE = {
    CREDIT: "outcomes",
    "credits": "outcomes",
    "embedding": "embeddings",
    "references": "trials",
    "path": "images",
    "distance": "distances",
}
_KEY = b"simtool"

#: Rows that are read at once, and rows of a group of trials or outcomes: no column of a group has 2 GiB of text.
_BATCH_ROWS, _GROUP_ROWS = 1 << 17, 1 << 18


def open_parquet(path: Path, expected: Expected = Expected.TABLE) -> pq.ParquetFile:
    """Open a Parquet file and read its footer; messages about other files name the ``expected`` table.

    Raises:
        TableError: the file is missing, truncated or not Parquet.
    """
    try:
        file = pq.ParquetFile(path.absolute(), **READING)
        check_footer(file)
        return file
    except FileNotFoundError as failure:
        raise TableError(f"{path}: no such file") from failure
    except ARROW_FAILURES as failure:
        raise TableError(explain(path, expected, first_line(failure))) from failure


def metadata_of(schema: pa.Schema) -> dict[str, Any]:
    """Return the contract's metadata of a Parquet schema; empty for files of other programs or invalid JSON."""
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        return {}
    try:
        content = json.loads(raw)
        # Half a surrogate pair is valid in JSON, but a table cannot hold it.
        content = json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def kind_by_columns(names: Iterable[str]) -> str | None:
    """Return the kind of a table by a column that only this kind has; None without such a column."""
    held = {CREDIT if name.startswith(CREDIT) else name for name in names}
    return next((kind for name, kind in _TELLTALE.items() if name in held), None)


def table_kind(path: Path) -> str | None:
    """Return the kind of a table by its metadata, else by its columns; None if it is of no kind or cannot be read."""
    try:
        files = (open_parquet(part) for part in part_files(path))
        schema = next((file.schema_arrow for file in files if file.metadata.num_rows), pa.schema([]))
    except TableError:
        return None
    kind = metadata_of(schema).get("table", kind_by_columns(schema.names))
    return kind if isinstance(kind, str) else None


def lacking(path: Path, kind: str, missing: Iterable[str], names: Sequence[str]) -> str:
    """Return a message about missing columns; the table can be of another kind."""
    found = kind_by_columns(names)
    if found is not None and found != kind:
        return wrong_table(path, found, kind)
    return f"{path}: a table of {kind} needs column {listed(missing)}; found {listed(names, 12)}"


def check_kind(path: Path, metadata: Mapping[str, Any], kind: str) -> None:
    """Refuse a table whose metadata state another kind or a newer version of the contract.

    Raises:
        TableError: the kind or the version does not fit.
    """
    found = metadata.get("table", kind)
    if found != kind:
        raise TableError(wrong_table(path, str(found), kind))
    version, newest = metadata.get("version", 1), VERSIONS[kind]
    if not isinstance(version, int) or version > newest:
        raise TableError(f"{path}: written for version {version} of the tables, this program reads up to {newest}")


def schema_with_metadata(schema: pa.Schema, kind: str, provenance: Provenance, extra: Mapping[str, Any]) -> pa.Schema:
    """Add the contract's metadata to a schema as one JSON object."""
    content = {"table": kind, "version": VERSIONS[kind], **provenance.to_json(), **extra}
    return schema.with_metadata({_KEY: json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")})


def schema_of(columns: Mapping[str, pa.Array], required: Container[str]) -> pa.Schema:
    """Return the schema of columns; only the required columns may have no nulls."""
    return pa.schema([pa.field(name, array.type, nullable=name not in required) for name, array in columns.items()])


def write_table(
    path: Path,
    columns: Mapping[str, pa.Array],
    required: Container[str],
    kind: str,
    provenance: Provenance,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a small table atomically; ``extra`` is added to its metadata.

    Raises:
        OSError: the file cannot be written.
    """
    schema = schema_with_metadata(schema_of(columns, required), kind, provenance, extra or {})
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns, schema=schema), temporary, **WRITING)


def row_groups(rows: int) -> Iterator[slice]:
    """The rows of each group of a table of trials or outcomes; an empty table has one empty group."""
    for start in range(0, max(rows, 1), _GROUP_ROWS):
        yield slice(start, min(start + _GROUP_ROWS, rows))


def write_groups(
    path: Path,
    groups: Iterable[Mapping[str, pa.Array]],
    required: Container[str],
    kind: str,
    provenance: Provenance,
    extra: Mapping[str, Any],
) -> None:
    """Write a table of trials or outcomes group by group, its texts as codes: see :func:`writer_of_codes`.

    Raises:
        OSError: the file cannot be written.
    """
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        writing: Future[None] | None = None
        for columns in groups:
            schema = schema_of(columns, required)
            if writer is None:
                stated = schema_with_metadata(schema, kind, provenance, extra)
                writer = stack.enter_context(writer_of_codes(path, stated, ["trial_id"], [LIKELIHOOD, PROBABILITY]))
                pool = stack.enter_context(ThreadPoolExecutor(1))
            if writing is not None:
                writing.result()
            # The next group is made while this one is written.
            writing = pool.submit(writer.write_table, pa.table(columns, schema=schema))
        if writing is not None:
            writing.result()


def read_columns(
    path: Path, kind: str, required: Mapping[str, pa.DataType], optional: Mapping[str, pa.DataType]
) -> pa.Table:
    """Read the columns of :func:`read_batches` as one table, in one chunk each."""
    schema = pa.schema({**required, **optional})
    return pa.Table.from_batches(read_batches(path, kind, required, optional), schema).combine_chunks()


def read_batches(
    path: Path,
    kind: str,
    required: Mapping[str, pa.DataType],
    optional: Mapping[str, pa.DataType],
    kept: NDArray[np.bool_] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read the required columns of a table, then the optional columns, in the contract's types, batch by batch.

    Required columns must exist and have no nulls. Optional columns that are missing are filled with nulls. A text that
    is wanted as codes is not decoded. While a batch is used, a thread reads the next.

    Args:
        path: the table.
        kind: its kind.
        required: names and types of columns.
        optional: names and types of columns.
        kept: (rows,) which rows of the table to read; None for all.

    Raises:
        TableError: a column is missing, has another type, or has nulls; the message names it.
    """
    return made_ahead(_batches(path, kind, required, optional, kept))


def _batches(
    path: Path,
    kind: str,
    required: Mapping[str, pa.DataType],
    optional: Mapping[str, pa.DataType],
    kept: NDArray[np.bool_] | None,
) -> Iterator[pa.RecordBatch]:
    """See :func:`read_batches`."""
    row = 0
    nulls: dict[str, list[NDArray[np.intp]]] = {name: [] for name in required}
    for part in part_files(path, Expected[kind.upper()]):
        wanted = {**required, **optional}
        file = _opened(part, path, kind, required, wanted)
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if kept is not None and not kept[row : row + rows].any():
                row += rows
                continue
            for batch in _group_batches(part, file, group, wanted, hive_keys(part, path)):
                for name in required:
                    if batch.column(name).null_count:
                        nulls[name].append(row + np.flatnonzero(batch.column(name).is_null()))
                yield batch if kept is None else batch.filter(pa.array(kept[row : row + len(batch)]))
                row += len(batch)
    for name, found in nulls.items():
        if found:
            empty = np.concatenate(found)
            places = f"{plural(empty.size, 'rows')} {listed(empty)}"
            raise TableError(f"{path}: column {name} has {counted(empty.size, 'missing values')}, at {places}")


def _opened(
    part: Path, path: Path, kind: str, required: Iterable[str], wanted: Mapping[str, pa.DataType]
) -> pq.ParquetFile:
    """Open one part of the table at ``path``, so that texts that are wanted as codes are read as codes."""
    file = open_parquet(part, Expected[kind.upper()])
    names, keys = file.schema_arrow.names, hive_keys(part, path)
    check_kind(part, metadata_of(file.schema_arrow), kind)
    if not file.metadata.num_rows:
        # pandas writes empty columns with the type null, or omits them.
        return file
    if missing := [name for name in required if name not in names and name not in keys]:
        raise TableError(lacking(part, kind, missing, names))
    check_columns(part, names, wanted)
    coded = [name for name, kind_of in wanted.items() if kind_of in (CODES, pa.list_(CODES))]
    leaves = [file.schema.column(at) for at in range(len(file.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.path.split(".")[0] in coded]
    return pq.ParquetFile(part.absolute(), metadata=file.metadata, read_dictionary=texts, **READING)


def _group_batches(
    part: Path, file: pq.ParquetFile, group: int, wanted: Mapping[str, pa.DataType], keys: Mapping[str, str | None]
) -> Iterator[pa.RecordBatch]:
    """Read a row group. Missing columns come from the names of folders, or are null.

    Groups are read one by one: Arrow cannot read lists of codes from groups with different dictionaries at once.
    """
    held = [name for name in wanted if name in file.schema_arrow.names]
    batches = file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=held)
    while True:
        with reading(part):
            batch = next(batches, None)
        if batch is None:
            return
        columns = {
            name: as_type(part, name, pa.chunked_array([batch.column(name)]), kind)
            if name in held
            else _constant(part, name, keys.get(name), len(batch), kind)
            for name, kind in wanted.items()
        }
        yield pa.record_batch({name: column.chunk(0) for name, column in columns.items()})


def _constant(part: Path, name: str, value: str | None, count: int, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a constant column from the name of a folder, or a column of nulls."""
    if value is None:
        return pa.chunked_array([pa.nulls(count, kind)])
    return as_type(part, name, pa.chunked_array([pa.repeat(pa.scalar(value, pa.string()), count)]), kind)


def check_columns(part: Path, names: Sequence[str], wanted: Iterable[str]) -> None:
    """Refuse a file with repeated columns.

    Raises:
        TableError: a column is repeated.
    """
    if repeated := [name for name in wanted if names.count(name) > 1]:
        raise TableError(f"{part}: the file has column {listed(repeated)} more than once; keep one of them")


def strings(column: pa.ChunkedArray | pa.Array) -> NDArray[np.object_]:
    """Convert a column of text to a numpy array of ``str`` (None for null)."""
    values: NDArray[np.object_] = column.to_numpy(zero_copy_only=False)
    return values.astype(object, copy=False)


def objects(values: Sequence[Any] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Convert texts and Nones to a numpy array of objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def check_unchanged(path: Path, state: tuple[int, int, int]) -> None:
    """Refuse a file that was written again since it was opened.

    Raises:
        TableError: it was.
        OSError: there is no such file.
    """
    if file_state(path) != state:
        raise TableError(f"{path}: the file was written again since it was opened; open the table again")


def check_unique(path: Path, name: str, values: NDArray[Any] | Sequence[Any]) -> None:
    """Refuse repeated keys.

    Raises:
        TableError: keys are repeated; the message names the first values and their rows.
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

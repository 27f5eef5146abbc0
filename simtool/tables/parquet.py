"""Parquet files: how they are written and read, and errors about them.

Every page has a checksum, so that a bit that flips on a disk or on a network is an error and not another number.
Programs that do not know the checksums ignore them, and files without checksums are read too. The footer has no
checksum, but it states the columns twice.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from simtool.errors import SimtoolError, first_line

__all__ = ["ARROW_FAILURES", "READING", "WRITING", "TableError", "check_footer", "reading", "writer_of_codes"]

_OURS, _ARROW = b"simtool", b"ARROW:schema"

#: Options of :class:`pyarrow.parquet.ParquetWriter` and :func:`pyarrow.parquet.write_table`.
WRITING: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
#: Bytes of distinct texts that Parquet keeps in a dictionary before it repeats them in each row.
_DICTIONARY_BYTES = 64 << 20
#: Options of :class:`pyarrow.parquet.ParquetFile`. A memory map would count as the memory of the process. Without a
#: buffer, a whole column of a row group is read at once.
READING: Mapping[str, Any] = {
    "pre_buffer": False,
    "buffer_size": 1 << 20,
    "memory_map": False,
    "page_checksum_verification": True,
}
#: Exceptions of pyarrow for files that are damaged or that it cannot read.
ARROW_FAILURES = (pa.ArrowException, OSError, NotImplementedError, ValueError, OverflowError, MemoryError)


class TableError(SimtoolError):
    """A table breaks the contract; the message names the file and the first wrong rows."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Replace the exceptions of Arrow by one line that names the file.

    Raises:
        TableError: the file is damaged, cannot be read, or has a column type that this version of Arrow cannot read.
    """
    try:
        yield
    except ARROW_FAILURES as failure:
        if isinstance(failure, OSError) and failure.errno and failure.strerror:
            raise TableError(f"{path}: {failure.strerror}") from failure
        raise TableError(f"{path}: {_why(failure)} ({first_line(failure)})") from failure


def _why(failure: BaseException) -> str:
    if isinstance(failure, NotImplementedError):
        return f"pyarrow {pa.__version__} cannot read this type of column"
    if "Expected all lists to be of size" in str(failure):
        return f"a list of a column of fixed-size lists is missing, which pyarrow {pa.__version__} cannot read; 26 can"
    return "damaged, or truncated; write it again"


def check_footer(file: pq.ParquetFile) -> None:
    """Refuse a table of this program whose footer states two different lists of columns: a bit flipped in a name.

    Raises:
        pa.ArrowInvalid: the lists differ.
        ValueError: one of them cannot be read.
    """
    schema, metadata = file.schema_arrow, file.metadata.metadata or {}
    if _OURS not in metadata or _ARROW not in metadata:
        return
    written = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(metadata[_ARROW])))
    if written.names != schema.names:
        raise pa.ArrowInvalid("its footer has two different lists of columns")


@contextmanager
def writer_of_codes(
    path: Path, schema: pa.Schema, ascending: Sequence[str] = (), measured: Sequence[str] = ()
) -> Iterator[pq.ParquetWriter]:
    """Open a writer of groups in which text is dictionary-encoded; the file states that it is text.

    Arrow would state that it is a dictionary, and then Arrow and pandas cannot read lists of text from several groups.

    Args:
        path: the file.
        schema: the types of the groups, and the metadata of the file.
        ascending: the columns of whole numbers that usually ascend; their differences are stored.
        measured: the beginnings of the names of columns of floats that seldom repeat; they have no dictionary.

    Raises:
        OSError: the file cannot be written.
    """
    types = pa.schema([field.with_type(_without_codes(field.type)) for field in schema], schema.metadata)
    coded = schema.remove_metadata()
    leaves = _leaves(coded)
    split = [leaf for leaf in leaves if leaf.startswith(tuple(measured))]
    options = {
        "store_schema": False,
        "dictionary_pagesize_limit": _DICTIONARY_BYTES,
        "use_dictionary": [leaf for leaf in leaves if leaf not in ascending and leaf not in split],
        "column_encoding": dict.fromkeys(ascending, "DELTA_BINARY_PACKED") | dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        # The least and the greatest text help no reader, and cost more time than the codes.
        "write_statistics": [leaf for leaf, kind in leaves.items() if kind != "BYTE_ARRAY"],
    }
    with pq.ParquetWriter(path, coded, **options, **WRITING) as writer:
        stated = base64.b64encode(types.serialize()).decode()
        writer.add_key_value_metadata({**(schema.metadata or {}), _ARROW: stated})
        yield writer


def _leaves(schema: pa.Schema) -> dict[str, str]:
    """The paths of the columns that Parquet stores, such as ``references.list.element``, and their types."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    stored = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return {column.path: column.physical_type for column in (stored.column(at) for at in range(len(stored)))}


def _without_codes(kind: pa.DataType) -> pa.DataType:
    """The type with plain values instead of dictionaries, also in lists."""
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return pa.list_(kind.value_type.value_type)
    return kind.value_type if pa.types.is_dictionary(kind) else kind

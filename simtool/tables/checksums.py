"""How Parquet files are written and read: with a checksum over each page.

A bit that flips on a disk or on a network is then an error of the reader, and no other number. Programs that do not
know the checksums pass over them, and files without any are read as ever. The footer has no checksum, but says twice
what the columns are.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["READING", "WRITING", "check_footer"]

_OURS, _ARROW = b"simtool", b"ARROW:schema"

#: For :class:`pyarrow.parquet.ParquetWriter` and :func:`pyarrow.parquet.write_table`.
WRITING: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
#: For :class:`pyarrow.parquet.ParquetFile`. A memory map would count as the memory of the process.
READING: Mapping[str, Any] = {"pre_buffer": False, "memory_map": False, "page_checksum_verification": True}


def check_footer(file: pq.ParquetFile) -> None:
    """Refuse a table of ours whose footer says two things of its columns: a name that a flipped bit has changed.

    Raises:
        pa.ArrowInvalid: it does.
        ValueError: one of them cannot be read.
    """
    schema, metadata = file.schema_arrow, file.metadata.metadata or {}
    if _OURS not in metadata or _ARROW not in metadata:
        return
    written = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(metadata[_ARROW])))
    if written.names != schema.names:
        raise pa.ArrowInvalid("its footer contradicts itself about the names of the columns")

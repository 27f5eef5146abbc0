"""How Parquet files are written and read: with a checksum over each page.

A bit that flips on a disk or on a network is then an error of the reader, and no other number. Programs that do not
know the checksums pass over them, and files without any are read as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["READING", "WRITING"]

#: For :class:`pyarrow.parquet.ParquetWriter` and :func:`pyarrow.parquet.write_table`.
WRITING: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
#: For :class:`pyarrow.parquet.ParquetFile`. A memory map would count as the memory of the process.
READING: Mapping[str, Any] = {"pre_buffer": False, "memory_map": False, "page_checksum_verification": True}

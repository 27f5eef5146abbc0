"""The one guard around whatever reads a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from simtool.errors import first_line
from simtool.tables.faults import TableError

__all__ = ["ARROW_FAILURES", "reading"]

#: What pyarrow raises on a damaged file, and on one that it cannot read.
ARROW_FAILURES = (pa.ArrowException, OSError, NotImplementedError, ValueError, OverflowError, MemoryError)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever Arrow raises while a file is read into one line that names the file.

    Raises:
        TableError: the file is damaged, cannot be read, or holds a type that this version of Arrow cannot read.
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

"""pyarrow in a process that runs one command: without pandas, and with memory that is soon returned."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder

import pyarrow as pa

__all__ = ["leave_out_pandas", "return_memory"]


class _Without(MetaPathFinder):
    """Finds no pandas, although it is installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - of the interface
        if fullname == "pandas":
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def leave_out_pandas() -> None:
    """Keep pyarrow from importing pandas in this process; this saves about 0.15 s.

    Where pandas is installed, pyarrow imports it at the first conversion of a value, to recognise the objects of
    pandas. It tries once. The import fails in this attempt only; other packages can import pandas afterwards.
    """
    finder = _Without()
    sys.meta_path.insert(0, finder)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(finder)


def return_memory() -> None:
    """Let pyarrow allocate memory by jemalloc, where this build of pyarrow has it.

    The usual allocator, mimalloc, holds much more memory that is free: after a table is read, several times its size.
    """
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())

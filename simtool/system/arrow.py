"""pyarrow in a process that runs one command: without pandas, and with memory that is soon returned."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa

from simtool.system.optional import without

__all__ = ["leave_out_pandas", "return_memory"]


def leave_out_pandas() -> None:
    """Keep pyarrow from importing pandas in this process; this saves about 0.15 s.

    Where pandas is installed, pyarrow imports it at the first conversion of a value, to recognise the objects of
    pandas. It tries once.
    """
    with without("pandas"):
        pa.scalar(0)


def return_memory() -> None:
    """Let pyarrow allocate memory by jemalloc, where this build of pyarrow has it.

    The usual allocator, mimalloc, holds much more memory that is free: after a table is read, several times its size.
    """
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())

"""Processor cores, and work that is split among threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["available_cores", "in_threads"]

#: Pieces for each core. Several small pieces keep all cores busy when one core is slower.
_PIECES = 8


def available_cores() -> int:
    """Return the number of cores that this process may use; on a shared node, the cores of its job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[int, int], object], count: int, least: int = 1) -> None:
    """Call ``work(start, stop)`` on pieces of ``range(count)`` in parallel.

    Args:
        work: writes its result to a place of its own piece. It must release the interpreter's lock to gain speed.
        count: the number of items.
        least: the minimum number of items in a piece.
    """
    workers = available_cores()
    size = max(least, -(-count // (workers * _PIECES)), 1)
    if workers == 1 or size >= count:
        work(0, count)
        return
    with ThreadPoolExecutor(workers) as pool:
        pieces = [pool.submit(work, start, min(start + size, count)) for start in range(0, count, size)]
        for piece in pieces:
            piece.result()

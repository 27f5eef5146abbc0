"""Work shared among the processors that this process may use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from simtool.system.cores import available_cores

__all__ = ["in_threads"]

#: Pieces for each processor: enough that one that is busy elsewhere does not hold up the rest.
_PIECES = 8


def in_threads(work: Callable[[int, int], object], count: int, least: int = 1) -> None:
    """Call ``work(start, stop)`` on pieces of ``range(count)``, several at once.

    Args:
        work: must release the interpreter's lock to gain anything; writes its result where no other piece does.
        count: of the items.
        least: items in a piece, so that small work stays in one.
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

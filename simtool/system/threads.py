"""Processor cores, and work that is split among threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["Workers", "available_cores", "in_threads", "made_ahead", "mapped", "pieces_of"]

#: Pieces for each core. Several small pieces keep all cores busy when one core is slower.
_PIECES = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return the number of cores that this process may use; on a shared node, the cores of its job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pieces_of(length: int, most: int, least: int = 1) -> list[slice]:
    """Split ``range(length)`` into at most ``most`` pieces of nearly equal size, each of ``least`` items or more."""
    count = max(1, min(most, length // max(least, 1)))
    return [slice(length * index // count, length * (index + 1) // count) for index in range(count)]


def in_threads(work: Callable[[int, int], object], count: int, least: int = 1) -> None:
    """Call ``work(start, stop)`` on pieces of ``range(count)``, of at least ``least`` items, in parallel.

    The work writes its result to a place of its piece. It must release the interpreter's lock to gain speed.
    """
    workers = available_cores()
    pieces = pieces_of(count, workers * _PIECES, least)
    if workers == 1 or len(pieces) == 1:
        work(0, count)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda piece: work(piece.start, piece.stop), pieces):
            pass


def mapped(function: Callable[[Item], Result], items: Iterable[Item], waiting: int) -> Generator[Result, None, None]:
    """The results of a function for each item, in order, computed in parallel while earlier results are used.

    At most ``waiting`` items are taken before their results are asked for, so that memory is bounded.
    """
    rest = iter(items)
    with ThreadPoolExecutor(available_cores()) as pool:
        started = deque(pool.submit(function, item) for item in islice(rest, waiting))
        try:
            while started:
                result = started.popleft().result()
                started.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in started:
                future.cancel()


def made_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items of an iterable, in order; while one is used, a thread makes the next."""
    rest, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Any] = pool.submit(next, rest, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, rest, end)
            yield item


class Workers:
    """A pool of threads for matrix products, in which the linear algebra library (BLAS) uses one thread per product.

    The library's threads wait for each other several times in every product. When another process takes a core for a
    moment, all of them wait; a Lanczos step, which has many small products, then takes three times as long. Here, each
    thread computes whole products, and waits for the others only at the end of a step.

    Args:
        count: threads; None for the number of available cores.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or available_cores()
        self._library = ThreadpoolController()
        self._own = max((library["num_threads"] for library in self._library.select(user_api="blas").info()), default=1)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._pool = self._open.enter_context(ThreadPoolExecutor(self.count))
        self._open.enter_context(self._library.limit(limits=1, user_api="blas"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of a function for each item, in order, computed in parallel."""
        return self._pool.map(function, items)

    def each(self, function: Callable[[Item], Any], items: Iterable[Item]) -> None:
        """Call a function for each item in parallel, and ignore the results."""
        for _ in self.map(function, items):
            pass

    def pieces(self, length: int, least: int = 64) -> list[slice]:
        """Split ``range(length)`` into one piece for each thread, or fewer; see :func:`pieces_of`."""
        return pieces_of(length, self.count, least)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let the library use several threads, as before, for a decomposition that cannot be split."""
        with self._library.limit(limits=self._own, user_api="blas"):
            yield

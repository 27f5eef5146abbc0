"""Threads that share the work of large matrices, with one matrix product in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from threadpoolctl import ThreadpoolController

from simtool.system.threads import available_cores

__all__ = ["Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """A pool of threads, in which the linear algebra library runs without threads of its own.

    The library's threads wait for each other several times in every product. Where another process has one of the
    cores for a moment, all of them stand still; a Lanczos step, of many small products, then takes three times as
    long. Here, each thread does whole products and waits for the others only at the end of a step.

    Args:
        count: threads; None for as many as there are cores.
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
        """The results of a function for each item, in order, computed at once."""
        return self._pool.map(function, items)

    def each(self, function: Callable[[Item], Any], items: Iterable[Item]) -> None:
        """Call a function for each item, for what it does."""
        for _ in self.map(function, items):
            pass

    def pieces(self, length: int, least: int = 64) -> list[slice]:
        """A range as slices, one for each thread, but not shorter than ``least``."""
        count = max(1, min(self.count, length // least))
        return [slice(length * index // count, length * (index + 1) // count) for index in range(count)]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let the library use its own threads, as many as before, for a decomposition that cannot be divided."""
        with self._library.limit(limits=self._own, user_api="blas"):
            yield

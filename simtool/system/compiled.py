"""Compiled loops, for computations that would need a copy of every pair of vectors in numpy.

A loop releases the interpreter's lock, so that threads can run in parallel (:mod:`simtool.system.threads`). It is
compiled when it first runs on a machine, and cached on disk. numba is imported when the first loop runs, so that other
threads can read files meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from importlib import import_module
from typing import Any, TypeVar, cast

from simtool.system.optional import without

__all__ = ["compiled", "compiled_sum"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Whether numba may import scipy for the products of matrices, which the loops here do not have. Without them, the
#: first loop of a process runs 0.13 s sooner; numba decides it once for all programs of a process.
with_products = True


def compiled(function: _Function) -> _Function:
    """Compile a function of arrays and numbers with exact IEEE arithmetic."""
    return cast("_Function", _Loop(function, fastmath=False))


def compiled_sum(function: _Function) -> _Function:
    """Compile a function whose sums can be reordered for vector instructions."""
    return cast("_Function", _Loop(function, fastmath={"reassoc", "contract", "nsz"}))


class _Loop:
    """A function that numba compiles when it is first called, or when a loop that calls it is compiled."""

    def __init__(self, function: Callable[..., Any], fastmath: bool | set[str]) -> None:
        update_wrapper(self, function)
        self._function, self._fastmath = function, fastmath

    @cached_property
    def _dispatcher(self) -> Any:
        import numba

        if not with_products:
            with without("scipy.linalg"):
                import_module("numba.np.arraymath")
        try:
            return numba.njit(self._function, nogil=True, fastmath=self._fastmath, cache=True)
        except RuntimeError:  # no folder for the cache can be written: compile at every start
            return numba.njit(self._function, nogil=True, fastmath=self._fastmath)

    @property
    def _numba_type_(self) -> Any:
        """The type of this object for numba, in another loop that calls it."""
        return self._dispatcher._numba_type_

    def __call__(self, *arguments: Any) -> Any:
        return self._dispatcher(*arguments)

"""Compiled loops, for computations that would need a copy of every pair of vectors in numpy.

A loop releases the interpreter's lock, so that threads can run in parallel (:mod:`simtool.system.threads`). It is
compiled when it first runs on a machine, and cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, cast

import numba

from simtool.system.optional import without

__all__ = ["compiled", "compiled_sum", "leave_out_scipy"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def leave_out_scipy() -> None:
    """Keep numba from importing scipy.linalg in this process; this saves about 0.13 s.

    Where scipy is installed, numba imports it before it loads the first loop, to find its matrix products. It tries
    once. The loops here have no matrix products.
    """
    with without("scipy.linalg"):
        import_module("numba.np.arraymath")


def compiled(function: _Function) -> _Function:
    """Compile a function of arrays and numbers with exact IEEE arithmetic."""
    return _compile(function, fastmath=False)


def compiled_sum(function: _Function) -> _Function:
    """Compile a function whose sums can be reordered for vector instructions."""
    return _compile(function, fastmath={"reassoc", "contract", "nsz"})


def _compile(function: _Function, fastmath: bool | set[str]) -> _Function:
    try:
        return cast("_Function", numba.njit(function, nogil=True, fastmath=fastmath, cache=True))
    except RuntimeError:  # no folder for the cache can be written: compile at every start
        return cast("_Function", numba.njit(function, nogil=True, fastmath=fastmath))

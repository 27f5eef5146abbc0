from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from simtool.system.compiled import compiled, compiled_sum


def add(one: float, other: float) -> float:
    return one + other


def test_compiled_functions_compute_what_they_say() -> None:
    assert compiled(add)(1.5, 2.0) == compiled_sum(add)(1.5, 2.0) == 3.5


def test_without_a_writable_cache_functions_are_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_for_real: Callable[..., Any] = numba.njit

    def njit(function: Callable[..., Any], cache: bool = False, **options: Any) -> Callable[..., Any]:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        compiled_anew: Callable[..., Any] = compile_for_real(function, **options)
        return compiled_anew

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(add)(1.0, np.float64(2)) == 3

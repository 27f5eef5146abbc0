from __future__ import annotations

import subprocess
import sys
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


_PROGRAM = """
import sys
from simtool import stages
stages.in_own_process = {own}
stages.score
import numpy as np
from simtool.scoring.pairs import Pairs
codes = np.arange(3, dtype=np.int32)
print(len(Pairs.of(codes, codes[::-1].copy(), 3)[0]), "scipy.linalg" in sys.modules)
import numba
from scipy.linalg import inv
if not {own}:
    print(numba.njit(lambda one, other: one @ other)(np.eye(2), np.eye(2)).sum())
"""


@pytest.mark.parametrize(("own", "said"), [(True, ["2 False"]), (False, ["2 True", "2.0"])])
def test_a_command_loads_loops_without_scipy_and_a_notebook_keeps_products_of_matrices(
    own: bool, said: list[str]
) -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM.format(own=own)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == said

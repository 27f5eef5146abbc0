"""Reader of MATLAB files up to version 7: a matrix of distances, or a download of Meadows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.kinds.hdf5_guards import survives
from simtool.rdms import meadows
from simtool.rdms.rdm import Rdm, RdmError, Request, Stack, names_of, stacked

__all__ = ["read_mat"]


def read_mat(source: Path, request: Request) -> Rdm:
    """Read the only matrix of distances of a file, or the one that ``--rdm`` names.

    Raises:
        RdmError: the file is damaged, holds no such matrix, or the names do not fit.
    """
    variables = _variables(source)
    if any(name.startswith(meadows.RDM) for name in variables):
        return meadows.read_variables(source, variables, request)
    arrays: list[NDArray[Any]] = []
    labels: list[str] = []
    for name, value in variables.items():
        try:
            found = stacked(source, np.asarray(value), name)
        except RdmError:
            continue
        arrays += found.arrays
        labels += found.labels
    # A single number is a "matrix" in MATLAB, and the triangle of two images.
    large = [at for at, array in enumerate(arrays) if array.size > 1]
    if not large:
        raise RdmError(f"{source}: no variable is a square matrix of numbers; it holds {listed(variables, 9)}")
    stack = Stack([arrays[at] for at in large], [labels[at] for at in large])
    return stack.rdm(source, stack.choose(source, request.rdm), names_of(source, request))


def _variables(source: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    if not survives(lambda: loadmat(source)):
        raise RdmError(f"{source}: damaged: SciPy cannot read it without crashing; save it again")
    try:
        held = loadmat(source)
    except Exception as failure:  # damaged files raise many types
        raise RdmError(f"{source}: SciPy cannot read it ({first_line(failure)}); save it again") from failure
    return {name: value for name, value in held.items() if not name.startswith("__")}

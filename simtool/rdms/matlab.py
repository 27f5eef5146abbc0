"""Reader of MATLAB files up to version 7: a matrix of distances, or a download of Meadows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.rdms import meadows
from simtool.rdms.rdm import Rdm, RdmError, Request, Stack, names_of, stacked
from simtool.vectors.matlab import mat5_variables

__all__ = ["read_mat"]


def read_mat(source: Path, request: Request) -> Rdm:
    """Read the only matrix of distances of a file, or the one that ``--rdm`` names.

    Raises:
        RdmError: the file holds no such matrix, or the names do not fit.
        VectorsError: the file is damaged.
    """
    variables = mat5_variables(source)
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

"""Reader of ``.npy`` files: a matrix of distances, its upper triangle, or several of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simtool.rdms.rdm import Rdm, RdmError, Request, names_of, stacked
from simtool.system.npy import npy_header

__all__ = ["read_npy"]


def read_npy(source: Path, request: Request) -> Rdm:
    """Read an array of numbers; an array of Python objects is a pickle, and is not read.

    Raises:
        RdmError: the array is damaged, or no matrix of distances; the names do not fit.
    """
    with source.open("rb") as file:
        try:
            shape, fortran, dtype = npy_header(file, source.stat().st_size)
        except ValueError as failure:
            raise RdmError(f"{source}: {failure}; save the matrix of numbers with numpy.save") from failure
        values = np.fromfile(file, dtype)
    stack = stacked(source, values.reshape(shape, order="F" if fortran else "C"))
    return stack.rdm(source, stack.choose(source, request.rdm), names_of(source, request))

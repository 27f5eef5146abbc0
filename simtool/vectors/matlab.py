"""MATLAB's files: one matrix with a row for each image, or one variable for each image.

Files of version 7.3 are HDF5, in which the axes of an array are reversed. Other files are read by SciPy.
"""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.kinds.hdf5_guards import survives
from simtool.vectors.hdf5 import datasets, opened, require_sound
from simtool.vectors.vectors import NUMBERS, Block, Vectors, VectorsError, block_rows, chosen_array, reading

__all__ = ["mat5_variables", "open_matlab"]

#: Seconds to read a file, and bytes that are read in one of them.
_SECONDS, _SPEED = 10, 10 << 20
#: The extensions that thingsvision removes from a file name to make the name of a variable.
_REMOVED = re.compile(r"\.(eps|jpg|jpeg|png|PNG|tif|tiff)$")
_HDF5 = b"MATLAB 7.3"
#: How the names of Meadows' variables with distances begin.
_MEADOWS = "rdmutv"


class _Variables(ABC):
    """The variables of a file that hold numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each variable."""

    @abstractmethod
    def rows(self, names: Sequence[str], rows: slice = slice(None)) -> Iterator[NDArray[Any]]:
        """Read some rows of variables, in the given order."""


class _Mat5(_Variables):
    """A file of MATLAB 5 to 7.2, which is read at once."""

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        arrays = {name: value for name, value in self._content.items() if isinstance(value, np.ndarray)}
        return {name: array.shape for name, array in arrays.items() if array.dtype.kind in NUMBERS}

    def rows(self, names: Sequence[str], rows: slice = slice(None)) -> Iterator[NDArray[Any]]:
        for name in names:
            yield self._content[name][rows]

    @cached_property
    def _content(self) -> Mapping[str, Any]:
        return mat5_variables(self.path)


class _Mat73(_Variables):
    """A file of MATLAB 7.3, which is HDF5."""

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        require_sound(self.path, lambda file: [held[:1] for _, held in datasets(file) if held.dtype.kind in NUMBERS])
        with opened(self.path) as file:
            held = {name: dataset for name, dataset in datasets(file) if not name.startswith("#")}
            return {name: each.shape[::-1] for name, each in held.items() if each.dtype.kind in NUMBERS and each.shape}

    def rows(self, names: Sequence[str], rows: slice = slice(None)) -> Iterator[NDArray[Any]]:
        with opened(self.path) as file:
            for name in names:
                yield file[name][..., rows].T


def mat5_variables(path: Path) -> dict[str, Any]:
    """Read all variables of a file of MATLAB 5 to 7.2, first in another process: SciPy can crash on damaged files.

    Raises:
        VectorsError: SciPy cannot read the file.
    """
    from scipy.io import loadmat

    def load() -> dict[str, Any]:
        with warnings.catch_warnings(action="ignore"):
            return {name: value for name, value in loadmat(str(path)).items() if not name.startswith("__")}

    if not survives(load, _SECONDS + path.stat().st_size // _SPEED):
        raise VectorsError(f"{path}: damaged: SciPy cannot read it without crashing; get it again")
    with reading(path):
        return load()


def open_matlab(path: Path, asked: str | None = None, names: Sequence[str] | None = None) -> Vectors:
    """Open a file that holds one matrix of vectors, or one variable for each image.

    Args:
        path: the file.
        asked: the variable to read; None for the only one.
        names: the names of the vectors, as thingsvision lists them; None if they are not known.

    Raises:
        VectorsError: the file is damaged, holds several matrices, or lacks the variable of a name.
    """
    with path.open("rb") as file:
        variables = (_Mat73 if file.read(len(_HDF5)) == _HDF5 else _Mat5)(path)
    shapes = variables.shapes
    if any(name.startswith(_MEADOWS) for name in shapes):
        raise VectorsError(f"{path}: it holds distances of Meadows, not vectors; simtool import-distances takes it")
    if names is not None and asked is None and not (len(shapes) == 1 and next(iter(shapes.values()))[0] == len(names)):
        return _one_each(variables, names, _variables_of(path, names, shapes))
    if names is None and asked is None and len(shapes) > 1 and _are_rows(list(shapes.values())):
        return _one_each(variables, list(shapes), list(shapes))
    matrices = {name: shape for name, shape in shapes.items() if len(shape) > 1 and max(shape) > 1}
    name = chosen_array(path, matrices, asked)
    count, *shape = shapes[name]

    def blocks() -> Iterator[Block]:
        size = block_rows(8 * int(np.prod(shape)))
        for start in range(0, count, size):
            for block in variables.rows([name], slice(start, start + size)):
                yield block.reshape(len(block), -1)

    return Vectors(path, count, tuple(shape), blocks, (path,))


def _are_rows(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether variables are vectors of one length each."""
    return len(set(shapes)) == 1 and len(shapes[0]) == 2 and min(shapes[0]) == 1


def _variables_of(path: Path, names: Sequence[str], held: Mapping[str, object]) -> list[str]:
    """The variable of each name.

    Raises:
        VectorsError: names share a variable, which holds the vector of the last, or have none.
    """
    variables = [_REMOVED.sub("", name) for name in names]
    users: dict[str, list[str]] = {}
    for name, variable in zip(names, variables, strict=True):
        users.setdefault(variable, []).append(name)
    faults = [f"{' and '.join(several)} share the variable {one}" for one, several in users.items() if len(several) > 1]
    if lost := [name for name, variable in zip(names, variables, strict=True) if variable not in held]:
        faults.append(f"no variable for {listed(lost)}")
    if faults:
        raise VectorsError(
            f"{path}: {len(held):,} variables for {len(names):,} names: {listed(faults, 4)}; "
            "save the features in another format, for example npy"
        )
    return variables


def _one_each(variables: _Variables, names: Sequence[str], used: Sequence[str]) -> Vectors:
    """The vectors of one variable for each image."""
    shapes = [variables.shapes[name] for name in used]
    if other := [f"{name} ({shape})" for name, shape in zip(names, shapes, strict=True) if shape != shapes[0]]:
        raise VectorsError(
            f"{variables.path}: {names[0]} has {shapes[0]} values, but {listed(other)}; all vectors need one shape"
        )
    flat = len(shapes[0]) == 2 and min(shapes[0]) == 1
    shape = (max(shapes[0]),) if flat else shapes[0]

    def blocks() -> Iterator[Block]:
        size = block_rows(8 * int(np.prod(shape)))
        for start in range(0, len(used), size):
            yield np.array([row.reshape(-1) for row in variables.rows(used[start : start + size])])

    return Vectors(variables.path, len(used), shape, blocks, (variables.path,), names)

"""Vectors from a file or folder of any known format."""

from __future__ import annotations

from pathlib import Path

from simtool.errors import UsageError
from simtool.kinds import Expected, Kind, What, explain, kind_of
from simtool.vectors.names import read_names
from simtool.vectors.thingsvision import FILE_NAMES, open_folder
from simtool.vectors.vectors import Vectors, VectorsError

__all__ = ["open_vectors"]

#: Kinds that hold one array, without a name.
_SINGLE = frozenset((What.NPY, What.CSV, What.NUMBERS, What.TEXT, What.PARQUET_FOLDER))


def open_vectors(
    source: Path, ids: Path | None = None, dataset: str | None = None, module: str | None = None
) -> Vectors:
    """Open vectors, and find their names. The values are not read yet.

    Args:
        source: a file, or a folder of thingsvision.
        ids: a file with one name in each line; None for the names in the source.
        dataset: the array, dataset, variable or column to read; None for the only one.
        module: the module of thingsvision to read; None for the only one.

    Returns:
        The vectors, with names.

    Raises:
        SimtoolError: the source is in no known format, is damaged, or has no names.
        OSError: a file cannot be read.
    """
    kind = kind_of(source)
    # The list of names can be in another folder.
    is_folder = kind.what is What.FEATURES_FOLDER or (kind.what is What.FOLDER and ids is not None)
    if module is not None and not is_folder:
        raise UsageError(f"--module: {source} is not a folder of thingsvision, which has modules")
    if is_folder:
        file = ids or source / FILE_NAMES
        names = read_names(file)
        return open_folder(source, module, lambda path: _opened(path, kind_of(path), dataset, names)).named(names, file)
    if ids is not None:
        names = read_names(ids)
        return _opened(source, kind, dataset, names).named(names, ids)
    vectors = _opened(source, kind, dataset, None)
    if vectors.names is None:
        found = source.parent / FILE_NAMES
        hint = (
            f"--ids {found}"
            if found.is_file()
            else "--ids FILE, with one name in each line in the order of the vectors"
        )
        raise VectorsError(f"{source}: it holds no names of images; give {hint}")
    return vectors


def _opened(path: Path, kind: Kind, dataset: str | None, names: list[str] | None) -> Vectors:
    """Open vectors of a known kind; their own names are used only without other names."""
    if kind.damage or kind.what not in Expected.VECTORS.kinds:
        raise VectorsError(explain(path, Expected.VECTORS))
    if dataset is not None and kind.what in _SINGLE:
        raise UsageError(f"--dataset: {path} is {kind.what}, which holds one array")
    match kind.what:
        case What.NPY:
            from simtool.vectors.npy import open_npy

            return open_npy(path)
        case What.NPZ:
            from simtool.vectors.npy import open_npz

            return open_npz(path, dataset)
        case What.CSV | What.NUMBERS | What.TEXT:
            from simtool.vectors.text import open_text

            return open_text(path, kind, named=names is None and kind.what is What.CSV)
        case What.MATLAB | What.MATLAB_HDF5:
            from simtool.vectors.matlab import open_matlab

            return open_matlab(path, dataset, names)
        case What.PARQUET_FOLDER:
            from simtool.vectors.parts import open_parts

            return open_parts(path)
        case What.ARROW | What.PARQUET:
            from simtool.vectors.arrow import open_arrow

            return open_arrow(path, kind, dataset)
        case _:
            from simtool.vectors.hdf5 import open_hdf5

            return open_hdf5(path, dataset)

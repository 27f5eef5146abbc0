"""HDF5 files of any program: the only dataset of numbers, or a named one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from simtool.kinds.hdf5_guards import survives
from simtool.vectors.vectors import NUMBERS, Block, Vectors, VectorsError, block_rows, chosen_array, reading

__all__ = ["datasets", "open_hdf5", "opened", "require_sound"]

#: Maximum datasets to list, and maximum depth of groups.
_MOST, _DEEPEST = 1000, 8


def open_hdf5(path: Path, asked: str | None) -> Vectors:
    """Open a dataset with one row for each image. If a dataset holds a text for each row, these are the names.

    Args:
        path: a file that was found undamaged.
        asked: the dataset, with its groups: ``resnet/pooled``; None for the only one.

    Raises:
        VectorsError: the file is damaged, or holds several datasets and none is asked for.
    """
    require_sound(path, lambda file: list(datasets(file)))
    with opened(path) as file:
        held = dict(datasets(file))
        shapes = {name: dataset.shape for name, dataset in held.items() if _holds_numbers(dataset)}
        texts = {name: dataset.shape for name, dataset in held.items() if _holds_texts(dataset) and "/" not in name}
    name = chosen_array(path, shapes, asked)
    rows, *shape = shapes[name]
    names = [each for each, size in texts.items() if size == (rows,)]
    require_sound(path, lambda file: (file[name][:1], file[name][-1:], [file[each][()] for each in names]))
    vectors = Vectors(path, rows, tuple(shape), lambda: _blocks(path, name), (path,))
    if len(names) != 1:
        return vectors
    with opened(path) as file:
        return vectors.named(file[names[0]].asstr("utf-8")[()].tolist(), path)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file.

    Raises:
        VectorsError: HDF5 cannot read it.
    """
    with reading(path), h5py.File(path, "r") as file:
        yield file


def datasets(group: h5py.Group, above: str = "", depth: int = 0) -> Iterator[tuple[str, h5py.Dataset]]:
    """The datasets below a group that are in the same file, with their names."""
    for at, name in enumerate(group):
        if at == _MOST:
            return
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        held = group[name]
        if isinstance(held, h5py.Dataset) and not held.is_virtual and not held.external:
            yield above + name, held
        elif isinstance(held, h5py.Group) and depth < _DEEPEST:
            yield from datasets(held, f"{above}{name}/", depth + 1)


def _holds_numbers(dataset: h5py.Dataset) -> bool:
    return dataset.shape is not None and len(dataset.shape) > 1 and dataset.dtype.kind in NUMBERS


def _holds_texts(dataset: h5py.Dataset) -> bool:
    return h5py.check_string_dtype(dataset.dtype) is not None


def require_sound(path: Path, step: Callable[[h5py.File], object]) -> None:
    """Take a step in another process first: HDF5 can crash on damaged data.

    Raises:
        VectorsError: the other process crashed.
    """

    def take() -> None:
        with h5py.File(path, "r") as file:
            step(file)

    if not survives(take):
        raise VectorsError(f"{path}: damaged: HDF5 cannot read it without crashing; get it again")


def _blocks(path: Path, name: str) -> Iterator[Block]:
    with opened(path) as file:
        dataset: Any = file[name]
        rows = len(dataset)
        size = block_rows(dataset.nbytes // rows)
        if dataset.chunks:  # a chunk is unpacked completely for each row of it
            size = max(1, size // dataset.chunks[0]) * dataset.chunks[0]
        for start in range(0, rows, size):
            block = dataset[start : start + size]
            yield block.reshape(len(block), -1)

"""Vectors in the layouts of other programs, with their names."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from simtool.vectors.importing import open_vectors
from tests.fuzz import values
from tests.fuzz.case import Door, Judge, Made

__all__ = ["DOORS"]

Array = NDArray[Any]
Found = tuple[Sequence[str] | None, Array]

_NAMES = ("wren.jpg", "Tern/a b.jpg", "owl.png", "kite.jpg", "ü.jpg")
_LIST = "file_names.txt"


@dataclass(frozen=True)
class _Layout:
    """How a program writes vectors, and a plain reader of it.

    Attributes:
        file: the name of the file.
        write: writes names and vectors (n, D).
        read: reads them; names are None where the file has none.
    """

    file: str
    write: Callable[[Path, Sequence[str], Array], object]
    read: Callable[[Path], Sequence[Found]]


def _write_hdf5(path: Path, names: Sequence[str], array: Array) -> None:
    with h5py.File(path, "w") as file:
        file["features"] = array


def _write_chunks(path: Path, names: Sequence[str], array: Array) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("net/features", data=array, chunks=(1, array.shape[1]), compression="gzip")
        file["files"] = list(names)


def _read_hdf5(path: Path) -> list[Found]:
    with h5py.File(path, "r") as file:
        array = file["features"][()] if "features" in file else file["net/features"][()]
        return [(file["files"].asstr("utf-8")[()].tolist() if "files" in file else None, array)]


def _write_mat73(path: Path, names: Sequence[str], array: Array) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["features"] = array.T
    with path.open("r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(508) + b"\0\2IM")


def _read_mat73(path: Path) -> list[Found]:
    with h5py.File(path, "r") as file:
        return [(None, file["features"][()].T)]


def _read_mat(path: Path) -> list[Found]:
    with warnings.catch_warnings(action="ignore"):
        return [(None, value) for name, value in loadmat(path).items() if not name.startswith("__")]


def _write_csv(path: Path, names: Sequence[str], array: Array) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", *(f"d{at}" for at in range(array.shape[1]))])
        writer.writerows([name, *row] for name, row in zip(names, array.tolist(), strict=True))


def _read_csv(path: Path) -> list[Found]:
    """Every reading of a CSV in some encoding, with and without its first rows as a header."""
    found: list[Found] = []
    for encoding in ("utf-8-sig", "cp1252", "latin-1", "utf-16-le", "utf-16-be", "utf-16"):
        text = path.read_bytes().decode(encoding, "replace")
        for delimiter in (",", ";", "\t", "|"):
            try:
                rows = [
                    row
                    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
                    if any(map(str.strip, row))
                ]
            except csv.Error:
                continue
            for skipped in range(3):
                array = _numbers([row[1:] for row in rows[skipped:]])
                if array is not None:
                    found.append(([row[0].strip() for row in rows[skipped:]], array))
    return found


def _read_text(path: Path) -> list[Found]:
    rows = [line.split() for line in path.read_bytes().decode("latin-1").splitlines()]
    array = _numbers([row for row in rows if row and not row[0].startswith("#")])
    return [] if array is None else [(None, array)]


def _numbers(rows: Sequence[Sequence[str]]) -> Array | None:
    try:
        return np.array(rows, np.float64)
    except ValueError:
        return None


def _table(names: Sequence[str], array: Array) -> pa.Table:
    return pa.table({"image_id": list(names), "embedding": pa.array(list(array))})


def _read_table(path: Path) -> list[Found]:
    parquet = path.read_bytes()[:4] == b"PAR1"
    table = pq.read_table(path) if parquet else pa.feather.read_table(path, memory_map=False)
    return [(table[0].to_pylist(), np.array(table[1].to_pylist(), np.float64))]


_LAYOUTS: Mapping[str, _Layout] = {
    "npy": _Layout("features.npy", lambda path, _, array: np.save(path, array), lambda path: [(None, np.load(path))]),
    "fortran": _Layout(
        "features.npy",
        lambda path, _, array: np.save(path, np.asfortranarray(array)),
        lambda path: [(None, np.load(path))],
    ),
    "npz": _Layout(
        "features.npz",
        lambda path, names, array: np.savez_compressed(path, vectors=array, files=np.array(names)),
        lambda path: [(np.load(path)["files"].tolist(), np.load(path)["vectors"])],
    ),
    "hdf5": _Layout("features.hdf5", _write_hdf5, _read_hdf5),
    "chunks": _Layout("features.h5", _write_chunks, _read_hdf5),
    "mat": _Layout("features.mat", lambda path, _, array: savemat(path, {"features": array}), _read_mat),
    "mat73": _Layout("features.mat", _write_mat73, _read_mat73),
    "csv": _Layout("features.csv", _write_csv, _read_csv),
    "text": _Layout("features.txt", lambda path, _, array: np.savetxt(path, array), _read_text),
    "feather": _Layout(
        "features.feather",
        lambda path, names, array: pa.feather.write_feather(_table(names, array), path),
        _read_table,
    ),
    "parquet": _Layout(
        "features.parquet", lambda path, names, array: pq.write_table(_table(names, array), path), _read_table
    ),
}
#: Layouts that hold the names of the vectors.
_NAMED = ("npz", "chunks", "csv", "feather", "parquet")


def _read(made: Made) -> Found:
    vectors = open_vectors(made.path, made.other)
    return vectors.names, np.concatenate([block for _, block in vectors.batches()])


def _array(chance: Random, rows: int) -> Array:
    array = np.array([[chance.gauss(0, 1) for _ in range(chance.choice((2, 3, 3, 7)))] for _ in range(1)] * rows)
    return (array * np.arange(1, rows + 1)[:, None]).astype(chance.choice((np.float32, np.float64)))


def _written(chance: Random, folder: Path, names: Sequence[str], array: Array, listed: Sequence[str]) -> Made:
    """Write vectors with ``names`` in a layout; a list of names in the same folder holds ``listed``."""
    kind = chance.choice(tuple(_LAYOUTS))
    layout = _LAYOUTS[kind]
    path, ids = folder / layout.file, folder / _LIST
    layout.write(path, names, array)
    if kind in _NAMED:
        return Made(path, kind, _judge(layout, path, None), files=(path,))
    ids.write_text("".join(f"{name}\n" for name in listed), encoding="utf-8")
    whole = chance.random() < 0.3 and kind != "fortran"
    judge = _judge(layout, path, ids)
    if whole and layout.file.endswith((".npy", ".hdf5", ".mat", ".txt")):
        return Made(folder, f"{kind}, a folder of thingsvision", judge, files=(path, ids))
    return Made(path, kind, judge, files=(path, ids), other=ids)


def _judge(layout: _Layout, path: Path, ids: Path | None) -> Judge:
    """The names and the values are those that a plain reader finds."""

    def judge(found: Found) -> str | None:
        names, array = found
        if names is None or len(names) != len(array) or len(set(names)) != len(names):
            return f"names {names!r:.100} of {len(array)} vectors"
        for stated, whole in layout.read(path):
            known = stated if ids is None else None
            same = known is None or list(known) == list(names)
            if same and np.array_equal(np.asarray(whole, np.float64).reshape(len(whole), -1), array):
                return None if ids is None or _lists(ids, names) else f"not in {ids.name}: {names!r:.200}"
        return f"not in {path.name}: {names!r:.100}, {array!r:.100}"

    return judge


def _lists(ids: Path, names: Sequence[str]) -> bool:
    """Whether a file lists names in some encoding."""
    encodings = ("utf-8-sig", "cp1252", "latin-1", "utf-16")
    texts = (io.StringIO(ids.read_bytes().decode(encoding, "replace"), None).read() for encoding in encodings)
    return any([line.strip() for line in text.rstrip().split("\n")] == list(names) for text in texts)


def _structured(chance: Random, folder: Path) -> Made:
    names, array = list(_NAMES), _array(chance, len(_NAMES))
    listed = names
    fault = chance.choice(("none", "value", "name", "repeated", "rows", "names", "none of them", "type"))
    if fault == "value":
        array[chance.randrange(5), 0] = chance.choice((np.nan, np.inf, -np.inf, 1e30, 1e-30, -0.0, 3.5e38))
    elif fault == "name":
        names[2] = values.text(chance)
    elif fault == "repeated":
        names[2] = names[0]
    elif fault == "rows":
        names, array, listed = names[:4], array[:4], names
    elif fault == "names":
        listed = names[:4]
    elif fault == "none of them":
        names, array, listed = [], array[:0], []
    elif fault == "type":
        array = array.astype(chance.choice(("f2", "i1", ">f8", "?", "<c16", "i8")))
    try:
        made = _written(chance, folder, names, array, listed)
    except (ValueError, TypeError, pa.ArrowException, csv.Error, UnicodeError):  # the layout cannot hold this
        return _written(chance, folder, _NAMES, _array(chance, 5), _NAMES)
    made.what = f"{made.what}: {fault}"
    made.neutral = fault == "none"
    return made


def _valid(chance: Random, folder: Path) -> Made:
    return _written(chance, folder, _NAMES, _array(chance, 5), _NAMES)


DOORS = (Door("vectors", _read, _structured, _valid, (1500, 1500)),)

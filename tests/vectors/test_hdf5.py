from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from simtool.kinds import kind_of
from simtool.vectors.hdf5 import open_hdf5
from simtool.vectors.vectors import Vectors, VectorsError

NUMBERS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
NAMES = ["a.jpg", "b.jpg", "ü.jpg", "d.jpg", "e.jpg"]


def written(folder: Path, **datasets: Any) -> Path:
    with h5py.File(folder / "features.h5", "w") as file:
        for name, values in datasets.items():
            file[name.replace("__", "/")] = values
    return folder / "features.h5"


def values(vectors: Vectors) -> np.ndarray:
    return np.concatenate([block for _, block in vectors.batches()])


@pytest.mark.parametrize("chunks", [None, (2, 3), (1, 1), (5, 2)])
@pytest.mark.parametrize("kind", ["f2", "f4", ">f8", "i4"])
def test_the_only_dataset_is_read_however_it_is_stored(
    tmp_path: Path, chunks: tuple[int, int] | None, kind: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=(9 * NUMBERS).astype(kind), chunks=chunks, compression="gzip" if chunks else None)
    vectors = open_hdf5(tmp_path / "a.h5", None)
    assert (vectors.rows, vectors.shape, vectors.names) == (5, (3,), None)
    np.testing.assert_array_equal(values(vectors), (9 * NUMBERS).astype(kind))


def test_activations_of_a_convolution_are_flattened_and_keep_their_shape(tmp_path: Path) -> None:
    array = np.random.default_rng(1).normal(size=(5, 4, 2, 3))
    vectors = open_hdf5(written(tmp_path, features=array), None)
    assert vectors.shape == (4, 2, 3)
    np.testing.assert_array_equal(values(vectors), array.reshape(5, -1))


def test_a_dataset_in_a_group_is_named_with_the_group(tmp_path: Path) -> None:
    path = written(tmp_path, resnet__fc=NUMBERS, resnet__pool=2 * NUMBERS, classes=np.arange(5))
    with pytest.raises(VectorsError, match=r"several arrays: resnet/fc \(5 x 3\), resnet/pool \(5 x 3\)"):
        open_hdf5(path, None)
    np.testing.assert_array_equal(values(open_hdf5(path, "resnet/pool")), 2 * NUMBERS)


@pytest.mark.parametrize("kind", [h5py.string_dtype(), "S9"])
def test_a_dataset_with_a_text_for_each_row_holds_the_names(tmp_path: Path, kind: Any) -> None:
    names = NAMES if kind != "S9" else [name.encode() for name in NAMES]
    path = written(tmp_path, features=NUMBERS, files=np.array(names, kind), classes=np.array([b"x", b"y"]))
    assert open_hdf5(path, None).names == NAMES


def test_names_behind_many_numbers_are_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("features", (5, 1 << 22), "f4")
        file["features"][0, 0] = 1
        file["files"] = NAMES
    assert (tmp_path / "large.h5").stat().st_size > 1 << 26
    assert not kind_of(tmp_path / "large.h5").damage
    assert open_hdf5(tmp_path / "large.h5", None).names == NAMES


def test_values_in_other_files_are_not_read(tmp_path: Path) -> None:
    written(tmp_path, features=NUMBERS)
    layout = h5py.VirtualLayout((5, 3), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "features.h5"), "features", (5, 3))
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["link"] = h5py.ExternalLink("features.h5", "features")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("external", (5, 3), "f4", external=[("/etc/passwd", 0, 60)])
    with pytest.raises(VectorsError, match="it holds no array of numbers with a row for each image"):
        open_hdf5(tmp_path / "links.h5", None)


@pytest.mark.parametrize("array", [np.arange(5.0), np.zeros((0, 3)), np.array([["a"]], "S1")])
def test_datasets_that_are_no_vectors_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(VectorsError, match="it holds no"):
        open_hdf5(written(tmp_path, x=array), None)


def test_a_damaged_chunk_is_one_line(tmp_path: Path) -> None:
    array = np.random.default_rng(1).normal(size=(500, 30))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=array, chunks=(100, 30), compression="gzip", fletcher32=True)
        middle = file["x"].id.get_chunk_info(2).byte_offset
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[middle + 40] ^= 255
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(VectorsError, match="damaged, or not as stated"):
        values(open_hdf5(tmp_path / "a.h5", None))

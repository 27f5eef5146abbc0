"""Folders in the layout of thingsvision 2.7.3, without their images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from simtool.errors import SimtoolError
from simtool.vectors.importing import open_vectors
from simtool.vectors.vectors import Vectors, VectorsError

NAMES = [f"/data/classes/{letter}.jpg" for letter in "abcdefghijkl"]
FEATURES = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
CONVOLUTION = np.random.default_rng(1).normal(size=(12, 2, 4, 4)).astype(np.float32)


def hdf5(path: Path, features: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features)


def mat(path: Path, features: np.ndarray) -> None:
    savemat(path, {name.removesuffix(".jpg"): feature for name, feature in zip(NAMES, features, strict=False)})


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "npy": np.save,
    "hdf5": hdf5,
    "mat": mat,
    "txt": np.savetxt,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file_names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    return tmp_path


def values(vectors: Vectors) -> np.ndarray:
    return np.concatenate([block for _, block in vectors.batches()])


@pytest.mark.parametrize(
    ("kind", "features"),
    [
        *((kind, FEATURES) for kind in WRITERS),
        *((kind, CONVOLUTION) for kind in WRITERS if kind != "txt"),  # thingsvision writes no text of more than 2 axes
    ],
)
def test_every_format_holds_the_same_vectors(folder: Path, kind: str, features: np.ndarray) -> None:
    WRITERS[kind](folder / f"features.{kind}", features)
    vectors = open_vectors(folder)
    assert (vectors.names, vectors.shape) == (NAMES, features.shape[1:])
    np.testing.assert_array_equal(values(vectors), features.reshape(12, -1))


def test_a_matrix_in_a_mat_file_follows_the_list_of_names(folder: Path) -> None:
    savemat(folder / "features.mat", {"features": FEATURES})
    np.testing.assert_array_equal(values(open_vectors(folder)), FEATURES)


def test_steps_are_joined_by_the_number_behind_the_hyphen(folder: Path) -> None:
    (folder / "fc").mkdir()
    for start in range(0, 12, 4):
        np.save(folder / "fc" / f"features_{start + 4}-{start + 4}.npy", FEATURES[start : start + 4])
    np.testing.assert_array_equal(values(open_vectors(folder)), FEATURES)
    np.testing.assert_array_equal(values(open_vectors(folder, module="fc")), FEATURES)


def test_a_step_that_is_missing_is_missed(folder: Path) -> None:
    (folder / "fc").mkdir()
    for start in (0, 8):
        np.save(folder / "fc" / f"features_{start}-{start + 4}.npy", FEATURES[start : start + 4])
    with pytest.raises(VectorsError, match=r"8 vectors \(8 x 3\), but .*file_names\.txt lists 12 names"):
        open_vectors(folder)


def test_parts_that_were_written_for_lack_of_memory_are_joined(folder: Path) -> None:
    for part, rows in enumerate(np.split(FEATURES, [1, 3]), 1):
        np.save(folder / f"features_{part:02d}.npy", rows)
    np.testing.assert_array_equal(values(open_vectors(folder)), FEATURES)


def test_of_several_modules_one_must_be_named(folder: Path) -> None:
    for name, features in {"layer1.0": FEATURES, "visual": CONVOLUTION}.items():
        (folder / name).mkdir()
        np.save(folder / name / "features.npy", features)
    with pytest.raises(VectorsError, match=r"it holds several modules: layer1\.0, visual; choose one with --module"):
        open_vectors(folder)
    with pytest.raises(VectorsError, match=r"no module is called fc; it holds layer1\.0, visual"):
        open_vectors(folder, module="fc")
    assert open_vectors(folder, module="visual").shape == (2, 4, 4)


@pytest.mark.parametrize("place", [".", "fc"])
def test_features_of_pytorch_are_refused_with_what_to_do(folder: Path, place: str) -> None:
    (folder / place).mkdir(exist_ok=True)
    (folder / place / "features.pt").write_bytes(b"PK")
    with pytest.raises(
        VectorsError, match=r'does not load, because it can run code; save the features with file_format="npy"'
    ):
        open_vectors(folder)


def test_a_folder_without_features_says_why(folder: Path) -> None:
    with pytest.raises(VectorsError, match="it holds no features; thingsvision writes none with file_format txt"):
        open_vectors(folder)


def test_two_formats_in_one_folder_can_be_of_two_modules(folder: Path) -> None:
    np.save(folder / "features.npy", FEATURES)
    np.savetxt(folder / "features.txt", 2 * FEATURES)
    with pytest.raises(VectorsError, match=r"it holds several files: features\.npy, features\.txt"):
        open_vectors(folder)
    vectors = open_vectors(folder / "features.txt", folder / "file_names.txt")
    np.testing.assert_array_equal(values(vectors), 2 * FEATURES)


def test_a_file_of_a_folder_is_told_its_list_of_names(folder: Path) -> None:
    np.save(folder / "features.npy", FEATURES)
    with pytest.raises(VectorsError, match=r"it holds no names of images; give --ids .*file_names\.txt"):
        open_vectors(folder / "features.npy")


def test_the_list_of_names_can_be_in_another_folder(folder: Path) -> None:
    (folder / "out" / "fc").mkdir(parents=True)
    np.save(folder / "out" / "fc" / "features.npy", FEATURES)
    with pytest.raises(VectorsError, match=r"if the list is elsewhere, give it with --ids"):
        open_vectors(folder / "out")
    for source in (folder / "out", folder / "out" / "fc"):
        vectors = open_vectors(source, folder / "file_names.txt")
        assert vectors.names == NAMES
        np.testing.assert_array_equal(values(vectors), FEATURES)


@pytest.mark.parametrize("rows", [11, 13])
def test_other_numbers_of_rows_and_names_are_both_told(folder: Path, rows: int) -> None:
    np.save(folder / "features.npy", np.zeros((rows, 3)))
    with pytest.raises(VectorsError, match=rf"{rows} vectors \({rows} x 3\), but .*file_names.txt lists 12 names"):
        open_vectors(folder)


def test_repeated_names_are_refused(folder: Path) -> None:
    (folder / "file_names.txt").write_text("a.jpg\n" * 12)
    np.save(folder / "features.npy", FEATURES)
    with pytest.raises(SimtoolError, match="name is not unique, 1 repeated"):
        open_vectors(folder)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from simtool.kinds import What, kind_of
from simtool.vectors.matlab import open_matlab
from simtool.vectors.vectors import Vectors, VectorsError

NUMBERS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
NAMES = [f"classes/{letter}.jpg" for letter in "abcde"]


def write_v5(path: Path, variables: Mapping[str, np.ndarray]) -> None:
    savemat(path, variables)


def write_v73(path: Path, variables: Mapping[str, np.ndarray]) -> None:
    """As MATLAB 7.3: HDF5 with reversed axes, behind a user block of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            file[name] = np.asarray(values).T
            file[name].attrs["MATLAB_class"] = np.bytes_("single")
        file.create_group("#refs#")["a"] = np.zeros((2, 2))
    with path.open("r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(508) + b"\0\2IM")


both = pytest.mark.parametrize("write", [write_v5, write_v73])


def values(vectors: Vectors) -> np.ndarray:
    return np.concatenate([block for _, block in vectors.batches()])


def test_the_versions_are_told_apart(tmp_path: Path) -> None:
    write_v5(tmp_path / "a.mat", {"x": NUMBERS})
    write_v73(tmp_path / "b.mat", {"x": NUMBERS})
    assert [kind_of(tmp_path / name).what for name in ("a.mat", "b.mat")] == [What.MATLAB, What.MATLAB_HDF5]


@both
@pytest.mark.parametrize("shape", [(5, 3), (5, 4, 2, 3), (2000, 900)])
def test_a_matrix_has_a_row_for_each_image(tmp_path: Path, write: object, shape: tuple[int, ...]) -> None:
    assert callable(write)
    array = np.random.default_rng(1).normal(size=shape)
    write(tmp_path / "a.mat", {"features": array, "n": np.array(5.0)})
    vectors = open_matlab(tmp_path / "a.mat")
    assert (vectors.rows, vectors.shape) == (shape[0], shape[1:])
    np.testing.assert_array_equal(values(vectors), array.reshape(shape[0], -1))


@both
@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (4, 2, 3)])
def test_one_variable_for_each_image_is_found_by_its_name(
    tmp_path: Path, write: object, shape: tuple[int, ...]
) -> None:
    assert callable(write)
    arrays = np.random.default_rng(1).normal(size=(5, *shape))
    named = {name.removesuffix(".jpg"): array for name, array in zip(NAMES, arrays, strict=True)}
    write(tmp_path / "a.mat", dict(reversed(named.items())))
    vectors = open_matlab(tmp_path / "a.mat", names=NAMES)
    assert vectors.shape == ((3,) if len(shape) == 2 else shape)
    np.testing.assert_array_equal(values(vectors), arrays.reshape(5, -1))


def test_the_names_of_variables_are_the_names_of_vectors(tmp_path: Path) -> None:
    write_v5(tmp_path / "a.mat", {"wren": NUMBERS[:1], "tern": NUMBERS[1:2]})
    vectors = open_matlab(tmp_path / "a.mat")
    assert vectors.names == ["wren", "tern"]
    np.testing.assert_array_equal(values(vectors), NUMBERS[:2])


@both
def test_of_several_matrices_one_must_be_named(tmp_path: Path, write: object) -> None:
    assert callable(write)
    write(tmp_path / "a.mat", {"low": NUMBERS, "high": 2 * NUMBERS})
    with pytest.raises(VectorsError, match=r"several arrays: .*choose one with --dataset"):
        open_matlab(tmp_path / "a.mat")
    np.testing.assert_array_equal(values(open_matlab(tmp_path / "a.mat", "high")), 2 * NUMBERS)


def test_names_that_share_a_variable_or_lost_theirs_are_listed(tmp_path: Path) -> None:
    write_v5(tmp_path / "a.mat", {"C.JPG": NUMBERS[:1], "a": NUMBERS[1:2], "b": NUMBERS[2:3]})
    with pytest.raises(VectorsError) as failure:
        open_matlab(tmp_path / "a.mat", names=["C.JPG", "_d.png", "a.jpg", "a.png", "b.png"])
    told = "3 variables for 5 names: a.jpg and a.png share the variable a, no variable for _d.png; save the features in"
    assert told in str(failure.value)


def test_vectors_of_unequal_shapes_are_named(tmp_path: Path) -> None:
    write_v5(tmp_path / "a.mat", {"a": NUMBERS[:1], "b": NUMBERS[1:2, :2]})
    with pytest.raises(VectorsError, match=r"a\.png has \(1, 3\) values, but b\.png \(\(1, 2\)\)"):
        open_matlab(tmp_path / "a.mat", names=["a.png", "b.png"])


@pytest.mark.parametrize("variables", [{"x": np.array(["a", "b"])}, {"x": np.array([{}, 1], object)}, {"x": {"y": 1}}])
def test_variables_that_are_no_numbers_are_refused(tmp_path: Path, variables: dict[str, object]) -> None:
    savemat(tmp_path / "a.mat", variables)
    with pytest.raises(VectorsError, match="it holds no array of numbers"):
        open_matlab(tmp_path / "a.mat")


def test_a_file_that_crashes_scipy_is_one_line(tmp_path: Path) -> None:
    write_v5(tmp_path / "a.mat", {"features": NUMBERS})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    content[184:192] = bytes(8)  # the type and the length of the values
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(VectorsError, match="damaged"):
        open_matlab(tmp_path / "a.mat")


@both
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_one_line(tmp_path: Path, write: object, cut: float) -> None:
    assert callable(write)
    write(tmp_path / "a.mat", {"x": np.random.default_rng(0).normal(size=(50, 30))})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(VectorsError):
        values(open_matlab(tmp_path / "a.mat"))


def test_distances_of_meadows_are_no_vectors(tmp_path: Path) -> None:
    write_v5(tmp_path / "a.mat", {"rdmutv_calm_ox": NUMBERS[:1], "rdmutv_wise_ant": NUMBERS[1:2]})
    with pytest.raises(
        VectorsError, match="it holds distances of Meadows, not vectors; simtool import-distances takes it"
    ):
        open_matlab(tmp_path / "a.mat")

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simtool.vectors.npy import npz_array, open_npy, open_npz
from simtool.vectors.vectors import Vectors, VectorsError

NUMBERS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def values(vectors: Vectors) -> np.ndarray:
    return np.concatenate([block for _, block in vectors.batches()])


@settings(max_examples=40, deadline=None)
@given(
    shape=arrays.array_shapes(min_dims=2, max_dims=4, max_side=5),
    kind=st.sampled_from(["<f2", "<f4", ">f4", "<f8", ">f8", "i1", "<u2", "<i8", "?"]),
    order=st.sampled_from(["C", "F"]),
    packed=st.sampled_from([None, np.savez, np.savez_compressed]),
)
def test_every_array_is_read_in_the_order_of_its_axes(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    kind: str,
    order: Literal["C", "F"],
    packed: object,
) -> None:
    path = tmp_path_factory.mktemp("npy") / "array"
    array = np.array(np.random.default_rng(1).integers(0, 100, shape), np.dtype(kind), order=order)
    if packed is None:
        np.save(path.with_suffix(".npy"), array)
        vectors = open_npy(path.with_suffix(".npy"))
    else:
        packed(path.with_suffix(".npz"), features=array)  # type: ignore[operator]
        vectors = open_npz(path.with_suffix(".npz"), None)
    assert (vectors.rows, vectors.shape) == (shape[0], shape[1:])
    np.testing.assert_array_equal(values(vectors), array.reshape(shape[0], -1).astype(np.float64))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_array_is_read_in_blocks(tmp_path: Path, order: str) -> None:
    array = np.asfortranarray(np.arange(30_000 * 512, dtype=np.float32).reshape(30_000, 512))
    np.save(tmp_path / "large.npy", array if order == "F" else np.ascontiguousarray(array))
    total = 0.0
    tracemalloc.start()
    for _, block in open_npy(tmp_path / "large.npy").batches():
        total += block.sum(dtype=np.float64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == array.sum(dtype=np.float64)
    assert peak < 0.7 * array.nbytes


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([[1], "a"], object), "a pickle, which simtool does not load; save numbers: numpy.save"),
        (np.array([[1j]]), "it holds no vectors: an array of complex128"),
        (np.array([["a"]]), "it holds no vectors: an array of <U1"),
        (np.zeros(4), "an array of shape (4,) holds no vectors, which need a row for each image"),
        (np.zeros((0, 4)), "it holds no vectors: 0 x 4"),
        (np.zeros((4, 0)), "it holds no vectors: 4 x 0"),
    ],
)
def test_arrays_that_are_no_vectors_are_refused(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=array)
    with pytest.raises(VectorsError) as failure:
        open_npy(tmp_path / "a.npy")
    assert reason in str(failure.value)
    with pytest.raises(VectorsError):
        open_npz(tmp_path / "a.npz", None)


def test_of_several_arrays_one_must_be_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", low=NUMBERS, high=2 * NUMBERS, count=5)
    with pytest.raises(VectorsError, match=r"several arrays: low \(5 x 3\), high \(5 x 3\); choose one with --dataset"):
        open_npz(tmp_path / "a.npz", None)
    with pytest.raises(VectorsError, match=r"no array of vectors is called count; it holds low \(5 x 3\)"):
        open_npz(tmp_path / "a.npz", "count")
    np.testing.assert_array_equal(values(open_npz(tmp_path / "a.npz", "high")), 2 * NUMBERS)


@pytest.mark.parametrize("names", [("loc", "scale"), ("pruned_loc", "pruned_scale")])
def test_the_vectors_of_vice_are_its_means(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays: dict[str, Any] = {names[0]: NUMBERS, names[1]: np.ones((5, 3))}
    np.savez(tmp_path / "p.npz", **arrays)
    np.testing.assert_array_equal(values(open_npz(tmp_path / "p.npz", None)), NUMBERS)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_an_array_with_a_text_for_each_row_holds_the_names(tmp_path: Path, kind: str) -> None:
    names = [f"{at}.jpg" for at in range(5)]
    np.savez(tmp_path / "a.npz", vectors=NUMBERS, files=np.array(names, kind), classes=np.array(["a", "b"]))
    assert open_npz(tmp_path / "a.npz", None).names == names


def test_a_damaged_member_is_refused_when_it_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", vectors=NUMBERS)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(NUMBERS[2].tobytes())] ^= 255
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(VectorsError, match=r"a\.npz: damaged, or not as stated \(Bad CRC-32"):
        values(open_npz(tmp_path / "a.npz", None))


def test_a_value_that_is_not_finite_is_named(tmp_path: Path) -> None:
    array = NUMBERS.copy()
    array[3, 1] = np.nan
    np.save(tmp_path / "a.npy", array)
    vectors = open_npy(tmp_path / "a.npy")
    with pytest.raises(VectorsError, match=r"a\.npy: NaN or infinity in 1 vector: row 3"):
        values(vectors)
    with pytest.raises(VectorsError, match="NaN or infinity in 1 vector: d"):
        values(vectors.named(list("abcde"), Path("ids.txt")))


def test_small_arrays_are_read_at_once(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.asfortranarray(NUMBERS), b=np.float64(0.5))
    held = npz_array(tmp_path / "a.npz", "a")
    assert held is not None
    np.testing.assert_array_equal(held, NUMBERS)
    assert npz_array(tmp_path / "a.npz", "b") == 0.5
    assert npz_array(tmp_path / "a.npz", "c") is None

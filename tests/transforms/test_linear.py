"""A linear map is a matrix or factors, and survives its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.tables.embeddings import EmbeddingCollector, EmbeddingInfo, EmbeddingTable
from simtool.tables.files import TableError
from simtool.transforms.linear import LinearMap
from simtool.transforms.transform import transform_table, transformed_info
from simtool.vectors.vectors import VectorsError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 3))
MATRIX = LinearMap(X[0], np.array(2.0), RNG.standard_normal((3, 4)), RNG.standard_normal(4))
FACTORS = LinearMap(X[0], np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.5, 3.0]), np.zeros(3))


def test_vectors_are_standardised_and_mapped() -> None:
    np.testing.assert_allclose(MATRIX.apply(X), (X - X[0]) / 2 @ MATRIX.weights + MATRIX.bias)
    np.testing.assert_allclose(FACTORS.apply(X), (X - X[0]) * [1, 0.25, 0.75])
    assert (MATRIX.dimension, FACTORS.dimension) == (4, 3)


@pytest.mark.parametrize("one", [MATRIX, FACTORS])
def test_a_map_survives_its_file(one: LinearMap, tmp_path: Path) -> None:
    np.savez(tmp_path / "transform.npz", **one.arrays)
    np.testing.assert_array_equal(LinearMap.read(tmp_path / "transform.npz", 3).apply(X), one.apply(X))


def test_a_map_of_other_vectors_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "transform.npz", **FACTORS.arrays)
    with pytest.raises(VectorsError, match="use the transform of the same network and layer"):
        LinearMap.read(tmp_path / "transform.npz", 4)


def test_a_map_to_no_values_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "transform.npz", mean=0.0, std=1.0, weights=np.zeros((3, 0)), bias=np.zeros(0))
    with pytest.raises(VectorsError, match=r"its weights have the shape \(3, 0\)"):
        LinearMap.read(tmp_path / "transform.npz", 3)


@pytest.mark.parametrize("sign", [1, -1])
def test_values_that_do_not_fit_32_bits_are_refused(sign: int) -> None:
    """With the sign -1, an infinity less an infinity is not a number."""
    huge = LinearMap(np.array(0.0), np.array(1.0), 1e308 * np.array([[1.0], [sign]]), np.zeros(1))
    info = EmbeddingInfo("net", 2)
    table = EmbeddingTable.of(["a"], np.array([[1e10, 1e10]]), info)
    with pytest.raises(TableError, match="its values are too large"):
        transform_table(huge, table, EmbeddingCollector(transformed_info(huge, table)))

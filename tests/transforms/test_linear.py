"""A linear map is a matrix or factors, and survives its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.transforms.linear import LinearMap
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

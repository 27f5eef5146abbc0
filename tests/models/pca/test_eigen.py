from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from simtool.models.pca import eigen
from simtool.models.pca.eigen import leading_eigenpairs
from simtool.models.pca.symmetric import SymmetricMatrix


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the iterative solver on matrices that tests can afford."""
    monkeypatch.setattr(eigen, "DENSE_SIZE", 300)
    monkeypatch.setattr(eigen, "BLOCK", 8)


def with_spectrum(values: NDArray[np.float64], seed: int = 0) -> tuple[SymmetricMatrix, NDArray[np.float64]]:
    """A matrix with these eigenvalues, and its eigenvectors."""
    rng = np.random.default_rng(seed)
    vectors: NDArray[np.float64] = np.eye(len(values))
    for flip in rng.choice([-1.0, 1.0], (2, len(values), 1)):
        vectors = np.asarray(scipy.fft.dct(flip * vectors, axis=0, norm="ortho"), np.float64)
    matrix = SymmetricMatrix(len(values), 128)
    matrix.add_product(vectors * np.sqrt(values))
    return matrix, vectors


def power_law(size: int, exponent: float = 1.2) -> NDArray[np.float64]:
    return np.arange(1.0, size + 1) ** np.float64(-exponent)


def assert_solved(matrix: SymmetricMatrix, values: NDArray[np.float64], count: int, solver: str) -> None:
    pairs = leading_eigenpairs(matrix, count)
    assert pairs.solver == solver
    assert pairs.residual <= 1e-6
    np.testing.assert_allclose(pairs.values, values[:count], rtol=1e-9, atol=1e-9 * values[0])
    np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(count), atol=1e-10)


@pytest.mark.parametrize("count", [1, 10, 80])
def test_lanczos_finds_the_leading_eigenpairs(count: int) -> None:
    values = power_law(400)
    matrix, vectors = with_spectrum(values)
    assert_solved(matrix, values, count, "lanczos")
    found = leading_eigenpairs(matrix, count).vectors
    np.testing.assert_allclose(np.abs((found * vectors[:, :count]).sum(axis=0)), 1, atol=1e-6)


def test_small_matrices_and_large_parts_are_solved_densely() -> None:
    values = power_law(400)
    matrix, _ = with_spectrum(values)
    assert_solved(matrix, values, 399, "dense")
    small = power_law(40)
    assert_solved(with_spectrum(small)[0], small, 3, "dense")


def test_a_basis_that_fills_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    largest = eigen._largest

    def watched(symmetric: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        sizes.append(len(symmetric))
        return largest(symmetric, count)

    monkeypatch.setattr(eigen, "_largest", watched)
    values = np.linspace(1, 0.5, 600)
    matrix, _ = with_spectrum(values)
    assert_solved(matrix, values, 5, "lanczos")
    assert np.any(np.diff(sizes) < 0)


def test_a_spectrum_without_decay_falls_back_to_the_dense_solver() -> None:
    values = np.linspace(1, 0, 600)
    matrix, _ = with_spectrum(values)
    assert_solved(matrix, values, 100, "dense")


@pytest.mark.parametrize("rank", [1, 5, 30])
def test_a_matrix_of_low_rank_exhausts_the_krylov_space(rank: int) -> None:
    values = np.where(np.arange(400) < rank, power_law(400), 0)
    matrix, _ = with_spectrum(values)
    assert_solved(matrix, values, 20, "lanczos")


def test_repeated_eigenvalues_are_all_found() -> None:
    values = np.repeat(power_law(80), 5)
    matrix, _ = with_spectrum(values)
    assert_solved(matrix, values, 40, "lanczos")


def test_a_matrix_of_zeros_has_eigenvalues_of_zero() -> None:
    for size in (20, 400):
        pairs = leading_eigenpairs(SymmetricMatrix(size), 3)
        np.testing.assert_array_equal(pairs.values, 0)
        np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(3), atol=1e-12)


def test_the_start_decides_nothing_beyond_the_residual() -> None:
    matrix, _ = with_spectrum(power_law(400))
    one, other = leading_eigenpairs(matrix, 20, seed=1), leading_eigenpairs(matrix, 20, seed=2)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-11)
    np.testing.assert_allclose(np.abs((one.vectors * other.vectors).sum(axis=0)), 1, atol=1e-8)
    again = leading_eigenpairs(matrix, 20, seed=1)
    np.testing.assert_array_equal(one.vectors, again.vectors)


def test_the_residual_is_measured_and_not_assumed() -> None:
    matrix, _ = with_spectrum(np.linspace(1, 0.5, 600))
    loose = leading_eigenpairs(matrix, 10, tolerance=1e-2)
    assert 1e-5 < loose.residual <= 1e-2
    rest = matrix.dense() @ loose.vectors - loose.vectors * loose.values
    assert np.isclose((np.linalg.norm(rest, axis=0) / loose.values).max(), loose.residual)

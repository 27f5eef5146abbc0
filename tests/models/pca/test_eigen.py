from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from simtool.models.pca import eigen
from simtool.models.pca.eigen import EigenPairs, leading_eigenpairs
from simtool.models.pca.symmetric import SymmetricMatrix
from simtool.system.threads import Workers

Vector = NDArray[np.float64]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as workers:
        yield workers


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the iterative solver on matrices that tests can afford."""
    monkeypatch.setattr(eigen, "DENSE_SIZE", 300)
    monkeypatch.setattr(eigen, "DENSE_PART", 0.25)
    monkeypatch.setattr(eigen, "BLOCK", 8)


def power_law(size: int) -> Vector:
    return np.arange(1.0, size + 1) ** np.float64(-1.2)


def orthogonal(size: int) -> Vector:
    """A full orthogonal matrix."""
    rng = np.random.default_rng(0)
    vectors: Vector = np.eye(size)
    for flip in rng.choice([-1.0, 1.0], (2, size, 1)):
        vectors = np.asarray(scipy.fft.dct(flip * vectors, axis=0, norm="ortho"), np.float64)
    return vectors


def with_spectrum(values: Vector, workers: Workers) -> SymmetricMatrix:
    """A matrix with these eigenvalues; its eigenvectors are the columns of ``orthogonal``."""
    matrix = SymmetricMatrix(len(values), workers, 128)
    matrix.add_product(orthogonal(len(values)) * np.sqrt(values))
    return matrix


def assert_solved(values: Vector, count: int, solver: str, workers: Workers) -> EigenPairs:
    pairs = leading_eigenpairs(with_spectrum(values, workers), count, workers)
    assert pairs.solver == solver
    assert pairs.residual <= 1e-6
    np.testing.assert_allclose(pairs.values, values[:count], rtol=1e-9, atol=1e-9 * values[0])
    np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(count), atol=1e-10)
    return pairs


@pytest.mark.parametrize("count", [1, 10, 80])
def test_lanczos_finds_the_leading_eigenpairs(count: int, workers: Workers) -> None:
    found = assert_solved(power_law(400), count, "lanczos", workers)
    true = orthogonal(400)[:, :count]
    np.testing.assert_allclose(np.abs((found.vectors * true).sum(axis=0)), 1, atol=1e-6)


def test_small_matrices_and_large_parts_are_solved_densely(workers: Workers) -> None:
    assert_solved(power_law(400), 399, "dense", workers)
    assert_solved(power_law(40), 3, "dense", workers)


def test_a_basis_that_fills_is_restarted(monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    sizes = []
    largest = eigen._largest

    def watched(symmetric: Vector, count: int, workers: Workers) -> tuple[Vector, Vector]:
        sizes.append(len(symmetric))
        return largest(symmetric, count, workers)

    monkeypatch.setattr(eigen, "_largest", watched)
    assert_solved(np.linspace(1, 0.5, 600), 5, "lanczos", workers)
    assert np.any(np.diff(sizes) < 0)


def test_a_spectrum_without_decay_falls_back_to_the_dense_solver(workers: Workers) -> None:
    assert_solved(np.linspace(1, 0, 600), 100, "dense", workers)


@pytest.mark.parametrize("rank", [1, 5, 30])
def test_a_matrix_of_low_rank_exhausts_the_krylov_space(rank: int, workers: Workers) -> None:
    assert_solved(np.where(np.arange(400) < rank, power_law(400), 0), 20, "lanczos", workers)


def test_repeated_eigenvalues_are_all_found(workers: Workers) -> None:
    assert_solved(np.repeat(power_law(80), 5), 40, "lanczos", workers)


@pytest.mark.parametrize("size", [20, 400])
def test_a_matrix_of_zeros_has_eigenvalues_of_zero(size: int, workers: Workers) -> None:
    pairs = leading_eigenpairs(SymmetricMatrix(size, workers), 3, workers)
    np.testing.assert_array_equal(pairs.values, 0)
    np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(3), atol=1e-12)


def test_the_start_decides_nothing_beyond_the_residual(workers: Workers) -> None:
    matrix = with_spectrum(power_law(400), workers)
    one, other, again = (leading_eigenpairs(matrix, 20, workers, seed) for seed in (1, 2, 1))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-11)
    np.testing.assert_allclose(np.abs((one.vectors * other.vectors).sum(axis=0)), 1, atol=1e-8)
    np.testing.assert_array_equal(one.vectors, again.vectors)


def test_the_residual_is_measured_and_not_assumed(workers: Workers) -> None:
    matrix = with_spectrum(np.linspace(1, 0.5, 600), workers)
    loose = leading_eigenpairs(matrix, 10, workers, tolerance=1e-2)
    assert 1e-5 < loose.residual <= 1e-2
    rest = matrix.dense() @ loose.vectors - loose.vectors * loose.values
    assert np.isclose((np.linalg.norm(rest, axis=0) / loose.values).max(), loose.residual)

"""The leading eigenpairs of a large symmetric matrix, with a measured residual.

Block Lanczos: a basis of the Krylov space of a random block grows until its Ritz pairs have converged. Directions are
orthogonalised against all others, twice. When the basis becomes too large, the best Ritz vectors replace it (thick
restart). For the first tenth of the eigenpairs of a 10,000 x 10,000 matrix, this needs about a hundred products with a
thin block; the reduction to tridiagonal form reads the matrix 10,000 times. docs/benchmarks.md compares the solvers.

References:
    Golub & Underwood 1977, The block Lanczos method for computing eigenvalues.
    Wu & Simon 2000, Thick-restart Lanczos method for large symmetric eigenvalue problems.
    Parlett 1980, The symmetric eigenvalue problem: the residual bounds the error of an eigenvalue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from simtool.models.pca.symmetric import SymmetricMatrix
from simtool.system.threads import Workers

__all__ = ["EigenPairs", "leading_eigenpairs"]

#: The dense solver of LAPACK decomposes matrices up to this size, and larger parts of the eigenpairs than this.
DENSE_SIZE, DENSE_PART = 2000, 0.15
#: Columns of a Krylov block.
BLOCK = 32
#: Residuals are relative to the eigenvalue, but at least to this part of the largest eigenvalue.
FLOOR = 1e-8


@dataclass(frozen=True)
class EigenPairs:
    """The largest eigenvalues of a matrix, and their vectors.

    Attributes:
        values: (count,) in descending order.
        vectors: (size, count), orthonormal.
        residual: the largest ``|A v - value v|``, relative to the value, or to the largest value times 1e-8 if that is
            larger.
        solver: ``dense`` or ``lanczos``.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residual: float
    solver: str


def leading_eigenpairs(
    matrix: SymmetricMatrix, count: int, workers: Workers, seed: int = 0, tolerance: float = 1e-6
) -> EigenPairs:
    """The eigenpairs with the largest eigenvalues.

    Args:
        matrix: positive semidefinite, up to rounding.
        count: of eigenpairs, at most the size of the matrix.
        workers: the threads that share the work.
        seed: of the random block that starts the Krylov space. It changes the result only within the tolerance.
        tolerance: of the residual. The relative error of an eigenvalue is of the order of its square.
    """
    found = None
    if matrix.size > DENSE_SIZE and count <= DENSE_PART * matrix.size:
        found = _lanczos(matrix, count, workers, np.random.default_rng(seed), tolerance)
    values, vectors = found or _largest(matrix.dense(), count, workers)
    return EigenPairs(values, vectors, _residual(matrix, values, vectors), "lanczos" if found else "dense")


def _residual(matrix: SymmetricMatrix, values: NDArray[np.float64], vectors: NDArray[np.float64]) -> float:
    """The largest relative residual, computed from the matrix itself, 256 eigenpairs at a time."""
    worst = 0.0
    scale = _scale(values)
    for start in range(0, len(values), 256):
        some = slice(start, start + 256)
        rest = matrix.apply(np.ascontiguousarray(vectors[:, some])) - vectors[:, some] * values[some]
        worst = max(worst, float((np.linalg.norm(rest, axis=0) / scale[some]).max()))
    return worst


def _scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scale of each residual (1 for a matrix of zeros)."""
    return np.maximum(values, FLOOR * values[0] if values[0] > 0 else 1.0)


def _largest(
    symmetric: NDArray[np.float64], count: int, workers: Workers
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenpairs, in descending order, by the dense solver of LAPACK; overwrites the matrix."""
    size = len(symmetric)
    with workers.together():
        values, vectors = scipy.linalg.eigh(
            symmetric, subset_by_index=[size - count, size - 1], driver="evr", overwrite_a=True, check_finite=False
        )
    return values[::-1], vectors[:, ::-1]


def _lanczos(
    matrix: SymmetricMatrix, count: int, workers: Workers, rng: np.random.Generator, tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Block Lanczos with thick restarts; None if a dense decomposition takes less work."""
    space = _KrylovSpace(matrix, min(matrix.size, 3 * count + 8 * BLOCK), workers, rng)
    check = 2 * count + 6 * BLOCK
    while space.products < matrix.size:
        space.extend()
        if space.size < check and not space.full:
            continue
        values, within = _largest(space.inner.copy(), count + 4 * BLOCK if space.full else count, workers)
        if (space.residuals(within)[:count] <= tolerance * _scale(values[:count])).all():
            return values[:count], space.vectors(within[:, :count])
        if space.full:
            space.restart(values, within)
        check = space.size + max(2 * BLOCK, space.size // 12)
    return None


class _KrylovSpace:
    """An orthonormal basis that grows by one block with each product with the matrix.

    After each step::

        matrix @ basis = basis @ inner + block @ coupling   (the last term in the columns of the newest block only)
    """

    def __init__(self, matrix: SymmetricMatrix, limit: int, workers: Workers, rng: np.random.Generator) -> None:
        self._matrix, self._limit, self._workers, self._rng = matrix, limit, workers, rng
        self._basis = np.empty((matrix.size, limit), order="F")
        self._inner = np.zeros((limit, limit))
        self._block = np.linalg.qr(rng.standard_normal((matrix.size, BLOCK)))[0]
        self._coupling = np.empty((0, 0))
        self.size = 0
        self.products = 0

    @property
    def basis(self) -> NDArray[np.float64]:
        """(matrix size, size) the current directions."""
        return self._basis[:, : self.size]

    @property
    def inner(self) -> NDArray[np.float64]:
        """(size, size) the matrix in the basis: basis.T @ matrix @ basis."""
        return self._inner[: self.size, : self.size]

    @property
    def full(self) -> bool:
        """Whether the limit leaves no space for another block."""
        return self.size + BLOCK > self._limit

    def extend(self) -> None:
        """Add the next block to the basis, and compute the block after it."""
        new = slice(self.size, self.size + BLOCK)
        self._basis[:, new] = self._block
        self.size, self.products = new.stop, self.products + BLOCK
        image, coefficients = self._orthogonalized(self._matrix.apply(self._block))
        self._inner[: new.stop, new], self._inner[new, : new.stop] = coefficients, coefficients.T
        self._inner[new, new] = (coefficients[new] + coefficients[new].T) / 2
        self._block, self._coupling = self._next_block(image)

    def _next_block(self, image: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """An orthonormal block, orthogonal to the basis, that spans ``image``; and the coefficients of ``image``.

        If the image has fewer dimensions than columns, because the basis already holds an invariant space, random
        directions replace the missing directions.
        """
        block, coupling = np.linalg.qr(image)
        sizes, scale = np.abs(np.diag(coupling)), np.abs(self.inner).max()
        if sizes.min() > 1e-6 * scale:
            return block, coupling
        # Normalizing a small remainder magnifies its rounding errors; orthogonalise it a second time.
        lost = sizes <= 1e-13 * scale
        block[:, lost] = self._rng.standard_normal((len(block), int(lost.sum())))
        coupling[lost] = 0
        clean = np.linalg.qr(self._orthogonalized(block)[0])[0]
        return clean, clean.T @ block @ coupling

    def residuals(self, within: NDArray[np.float64]) -> NDArray[np.float64]:
        """The residual norms of Ritz vectors, which are given as coefficients, (size, count)."""
        norms: NDArray[np.float64] = np.linalg.norm(self._coupling @ within[-BLOCK:], axis=0)
        return norms

    def restart(self, values: NDArray[np.float64], within: NDArray[np.float64]) -> None:
        """Keep only the given Ritz vectors. The next product determines the coupling of the next block."""
        self._basis[:, : len(values)] = self.vectors(within)
        self.size = len(values)
        self._inner[:] = 0
        np.fill_diagonal(self.inner, values)

    def vectors(self, within: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors, (matrix size, count), from their coefficients, (size, count)."""
        result = np.empty((self._matrix.size, within.shape[1]))

        def fill(rows: slice) -> None:
            result[rows] = self.basis[rows] @ within

        self._workers.each(fill, self._workers.pieces(len(result)))
        return result

    def _within(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The coefficients, (size, count), of vectors, (matrix size, count)."""
        basis = self.basis
        products = self._workers.map(lambda columns: basis[:, columns].T @ vectors, self._workers.pieces(self.size))
        return np.concatenate(list(products))

    def _orthogonalized(self, vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vectors minus their projection on the basis, and the coefficients of the projection. Two passes suffice."""
        first = self._within(vectors)
        rest = vectors - self.vectors(first)
        second = self._within(rest)
        rest -= self.vectors(second)
        return rest, first + second

"""The leading eigenpairs of a large symmetric matrix, to a certified residual.

Block Lanczos: a basis of the Krylov space of a random block grows until the Ritz pairs in it have converged. All
directions are orthogonalised against all others, twice; where the basis would become too large it is replaced by the
best Ritz vectors (thick restart). For the first tenth of the eigenpairs of a 10,000 x 10,000 matrix this needs some
hundred products with a thin block, where reduction to tridiagonal form passes 10,000 times over the matrix.

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

#: Matrices up to this size, and those of which more than this part is wanted, are decomposed densely.
DENSE_SIZE, DENSE_PART = 2000, 0.15
#: Columns of a Krylov block.
BLOCK = 32
#: Residuals are measured by the eigenvalue, but not by less than this part of the largest.
FLOOR = 1e-8


@dataclass(frozen=True)
class EigenPairs:
    """The largest eigenvalues of a matrix, and their vectors.

    Attributes:
        values: (count,) in descending order.
        vectors: (size, count), orthonormal.
        residual: the largest ``|A v - value v|``, as a fraction of the value (but of the largest times 1e-8 at least).
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
        count: how many; at most the size of the matrix.
        workers: that share the work.
        seed: of the random block that starts the Krylov space. The result does not depend on it beyond the tolerance.
        tolerance: for the residual. An eigenvalue's relative error is of the order of its square.

    Returns:
        The eigenpairs, with the residual that they were found to have.
    """
    found = None
    if matrix.size > DENSE_SIZE and count <= DENSE_PART * matrix.size:
        found = _lanczos(matrix, count, workers, np.random.default_rng(seed), tolerance)
    values, vectors = found or _largest(matrix.dense(), count, workers)
    return EigenPairs(values, vectors, _residual(matrix, values, vectors), "lanczos" if found else "dense")


def _residual(matrix: SymmetricMatrix, values: NDArray[np.float64], vectors: NDArray[np.float64]) -> float:
    """What the eigenpairs leave, computed from the matrix itself, some at a time."""
    worst = 0.0
    scale = _scale(values)
    for start in range(0, len(values), 256):
        some = slice(start, start + 256)
        rest = matrix.apply(np.ascontiguousarray(vectors[:, some])) - vectors[:, some] * values[some]
        worst = max(worst, float((np.linalg.norm(rest, axis=0) / scale[some]).max()))
    return worst


def _scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What residuals are measured by (1 for a matrix of zeros)."""
    return np.maximum(values, FLOOR * values[0] if values[0] > 0 else 1.0)


def _largest(
    symmetric: NDArray[np.float64], count: int, workers: Workers
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenpairs of a small matrix, in descending order; destroys the matrix."""
    size = len(symmetric)
    with workers.together():
        values, vectors = scipy.linalg.eigh(
            symmetric, subset_by_index=[size - count, size - 1], driver="evr", overwrite_a=True, check_finite=False
        )
    return values[::-1], vectors[:, ::-1]


def _lanczos(
    matrix: SymmetricMatrix, count: int, workers: Workers, rng: np.random.Generator, tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Block Lanczos with thick restarts; None where a dense decomposition would be the lesser effort."""
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

    The defining relation, which holds after each step::

        matrix @ basis = basis @ inner + block @ coupling   (the last in the columns of the newest block only)

    Args:
        matrix: symmetric.
        limit: directions that the basis may have.
        workers: that share the work.
        rng: for the first block, and for directions that get lost.
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
        """(matrix size, size) the directions so far."""
        return self._basis[:, : self.size]

    @property
    def inner(self) -> NDArray[np.float64]:
        """(size, size) the matrix within the basis: basis.T @ matrix @ basis."""
        return self._inner[: self.size, : self.size]

    @property
    def full(self) -> bool:
        """Whether there is no room for another block."""
        return self.size + BLOCK > self._limit

    def extend(self) -> None:
        """Take the next block into the basis, and find the one after it."""
        new = slice(self.size, self.size + BLOCK)
        self._basis[:, new] = self._block
        self.size, self.products = new.stop, self.products + BLOCK
        image, coefficients = self._orthogonalized(self._matrix.apply(self._block))
        self._inner[: new.stop, new], self._inner[new, : new.stop] = coefficients, coefficients.T
        self._inner[new, new] = (coefficients[new] + coefficients[new].T) / 2
        self._block, self._coupling = self._next_block(image)

    def _next_block(self, image: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """An orthonormal block beside the basis that spans ``image``, and ``image`` in terms of it.

        Where the image has fewer dimensions than columns, because the basis already holds an invariant space, random
        directions take the place of those that are missing.
        """
        block, coupling = np.linalg.qr(image)
        sizes, scale = np.abs(np.diag(coupling)), np.abs(self.inner).max()
        if sizes.min() > 1e-6 * scale:
            return block, coupling
        # Normalizing a small remainder magnifies its rounding errors, so it is made orthogonal once more.
        lost = sizes <= 1e-13 * scale
        block[:, lost] = self._rng.standard_normal((len(block), int(lost.sum())))
        coupling[lost] = 0
        clean = np.linalg.qr(self._orthogonalized(block)[0])[0]
        return clean, clean.T @ block @ coupling

    def residuals(self, within: NDArray[np.float64]) -> NDArray[np.float64]:
        """The residual norms of Ritz vectors that are given within the basis, (size, count)."""
        norms: NDArray[np.float64] = np.linalg.norm(self._coupling @ within[-BLOCK:], axis=0)
        return norms

    def restart(self, values: NDArray[np.float64], within: NDArray[np.float64]) -> None:
        """Keep only the given Ritz vectors; what the next block is coupled to follows from its own product."""
        self._basis[:, : len(values)] = self.vectors(within)
        self.size = len(values)
        self._inner[:] = 0
        np.fill_diagonal(self.inner, values)

    def vectors(self, within: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors that are given within the basis, (size, count), as (matrix size, count)."""
        result = np.empty((self._matrix.size, within.shape[1]))

        def fill(rows: slice) -> None:
            result[rows] = self.basis[rows] @ within

        self._workers.each(fill, self._workers.pieces(len(result)))
        return result

    def _within(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The coefficients of (matrix size, count) vectors on the basis, (size, count)."""
        basis = self.basis
        products = self._workers.map(lambda columns: basis[:, columns].T @ vectors, self._workers.pieces(self.size))
        return np.concatenate(list(products))

    def _orthogonalized(self, vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vectors without their part in the span of the basis, and the coefficients of that part. Twice is enough."""
        first = self._within(vectors)
        rest = vectors - self.vectors(first)
        second = self._within(rest)
        rest -= self.vectors(second)
        return rest, first + second

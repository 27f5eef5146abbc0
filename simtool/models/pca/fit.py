"""Fit principal components to images that do not fit in memory.

With fewer images than values, the fit uses the n x n matrix of inner products of the centered images:
X X' = U S^2 U', and the components are the rows of S^-1 U' X. With fewer values than images, the components are the
eigenvectors of the matrix X'X. The memory is that of a matrix of the smaller side. The images go to a scratch file, and
are read from it by blocks of columns.

References:
    Turk & Pentland 1991, Eigenfaces for recognition (the matrix of inner products).
    Yamamoto et al. 2015, Roundoff error analysis of the CholeskyQR2 algorithm.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from simtool import console
from simtool.errors import UsageError
from simtool.models.errors import ModelError
from simtool.models.pca.eigen import EigenPairs, leading_eigenpairs
from simtool.models.pca.matrices import NpyMatrix
from simtool.models.pca.symmetric import SymmetricMatrix
from simtool.system.memory import available_memory
from simtool.system.scratch import ColumnFile
from simtool.system.threads import Workers, pieces_of

__all__ = ["PcaFit", "check_request", "fit_components"]

#: Bytes of a block of pixels in memory.
BLOCK_BYTES = 64 << 20
#: Up to this number of multiplications, products are float64; more are float32, which is twice as fast.
EXACT_WORK = 3e11
#: Eigenvalues below this part of the largest are rounding errors of the products.
NOISE = {np.float32: float(np.finfo(np.float32).eps), np.float64: 1e-12}
#: Deviations of V V' from the identity that rounding to float32 causes.
ROUNDING = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class PcaFit:
    """Principal components and their accuracy.

    Attributes:
        mean: (D,) of the images.
        components: (K, D) orthonormal rows, in order of variance. The entry of each row with the largest absolute value
            is positive, as in scikit-learn.
        variance: (K,) explained by each component: its eigenvalue / (n - 1).
        total_variance: of the images, the sum over all dimensions.
        images: n, the number of images.
        method: ``inner products`` or ``covariance``.
        solver: ``dense`` or ``lanczos``.
        residual: of the eigenpairs, see :class:`EigenPairs`.
        orthogonality: the largest deviation of ``components @ components.T`` from the identity.
    """

    mean: NDArray[np.float64]
    components: NpyMatrix
    variance: NDArray[np.float64]
    total_variance: float
    images: int
    method: str
    solver: str
    residual: float
    orthogonality: float

    def explained(self, count: int) -> float:
        """The share of the variance that the first ``count`` components explain."""
        return float(self.variance[:count].sum() / self.total_variance)


def check_request(images: int, dimension: int, components: int, fewer: bool = False, what: str = "images") -> int:
    """Refuse a request that cannot be met, before the work starts.

    ``fewer`` keeps fewer components if fewer exist. ``what`` is the noun for the images in messages.

    Returns:
        The number of components of the fit.

    Raises:
        UsageError: fewer components exist.
        ModelError: there are fewer than two images, or free memory is too small for the matrix.
    """
    most = min(images - 1, dimension)
    if images < 2:
        raise ModelError(f"principal components need at least 2 {what}, not {max(images, 0)}")
    if fewer:
        components = min(components, most)
    if not 1 <= components <= most:
        raise UsageError(
            f"{images:,} {what} of {dimension:,} values allow 1 to {most:,} components, not {components:,}; "
            "choose --components from this range"
        )
    side = min(images, dimension)
    needed = 4 * side * side + 8 * side * min(side, 4 * components + 256)
    room = available_memory()
    if room is not None and needed > room:
        raise ModelError(
            f"{images:,} {what} of {dimension:,} values need {needed / 1e9:,.1f} GB of memory, {room / 1e9:,.1f} GB "
            f"are free; use fewer or smaller {what}, or fewer --components"
        )
    return components


def fit_components(
    batches: Iterable[NDArray[np.floating[Any]]],
    images: int,
    dimension: int,
    components: int,
    scratch: Path | None,
    seed: int = 0,
    fewer: bool = False,
    what: str = "images",
) -> PcaFit:
    """Fit principal components to a stream of images.

    Args:
        batches: each (b, dimension), read once. The mean of the first batch is subtracted from float64 values before
            they are rounded to float32, so that small differences of large values are kept.
        images: the largest number of images that will come.
        dimension: the number of values of an image.
        components: the number to keep. Fewer are kept if the images span fewer dimensions.
        scratch: a folder for scratch files; None for the system's temporary folder.
        seed: of the start of the eigensolver. It changes the result only within the residual.
        fewer: keep fewer components if fewer exist.
        what: the noun for the images, for messages.

    Raises:
        UsageError: fewer components exist.
        ModelError: all images are equal.
        SpaceError: the scratch folder has too little free space.
    """
    check_request(images, dimension, components, fewer, what)
    folder = scratch or Path(tempfile.gettempdir())
    origin, moved = _about_first(batches)
    with Workers() as workers:
        plan = _Plan(images, dimension, components, fewer, what, folder, seed, workers)
        method, fit = ("covariance", _by_covariance) if images > dimension else ("inner products", _by_inner_products)
        found, mean, rows, pairs, total_variance = fit(moved, plan)
        orthogonality = _orthonormalize(rows, workers)
    variance = pairs.values / (found - 1)
    return PcaFit(
        origin + mean, rows, variance, total_variance, found, method, pairs.solver, pairs.residual, orthogonality
    )


def _about_first(
    batches: Iterable[NDArray[np.floating[Any]]],
) -> tuple[NDArray[np.float64], Iterator[NDArray[np.float32]]]:
    """The mean of the first batch if its values are float64, else 0; and all batches minus this mean, as float32."""
    iterator = iter(batches)
    first = next(iterator, None)
    origin = np.zeros(1) if first is None or first.dtype != np.float64 else (first / len(first)).sum(axis=0)
    return origin, ((batch - origin).astype(np.float32) for batch in chain([] if first is None else [first], iterator))


@dataclass(frozen=True)
class _Plan:
    """The arguments of :func:`fit_components`."""

    images: int
    dimension: int
    components: int
    fewer: bool
    what: str
    scratch: Path | None
    seed: int
    workers: Workers

    @property
    def precision(self) -> type[np.float32 | np.float64]:
        """The type of the products that make the matrix."""
        work = self.images * self.dimension * min(self.images, self.dimension)
        return np.float64 if work <= EXACT_WORK else np.float32

    def check(self, images: int) -> int:
        """The number of components for a number of images; see :func:`check_request`."""
        return check_request(images, self.dimension, self.components, self.fewer, self.what)

    def pairs(self, matrix: SymmetricMatrix, images: int, mean: NDArray[np.float64]) -> EigenPairs:
        """The leading eigenpairs of the matrix, without rounding errors."""
        if matrix.trace() <= 1e-20 * images * float(mean @ mean):
            raise ModelError(f"all {self.what} are equal: they have no principal components")
        wanted = self.check(images)
        pairs = leading_eigenpairs(matrix, wanted, self.workers, self.seed)
        kept = int(np.sum(pairs.values > NOISE[self.precision] * pairs.values[0]))
        if kept < wanted and not self.fewer:
            console.warn(
                f"the {self.what} span only {kept:,} dimensions; {kept:,} components are kept instead of {wanted:,}"
            )
        return EigenPairs(pairs.values[:kept], pairs.vectors[:, :kept], pairs.residual, pairs.solver)


#: The number of images, their mean, the components before they are orthonormal, the eigenpairs, the total variance.
_Fitted = tuple[int, NDArray[np.float64], NpyMatrix, EigenPairs, float]


def _by_inner_products(batches: Iterable[NDArray[np.float32]], plan: _Plan) -> _Fitted:
    width = max(16, BLOCK_BYTES // (4 * plan.images) // 16 * 16)
    shape, purpose = (plan.images, plan.dimension), f"{plan.images:,} {plan.what} of {plan.dimension:,} values"
    with closing(ColumnFile(plan.scratch, shape, width, purpose)) as pixels:
        images, total = 0, np.zeros(plan.dimension)
        for batch in batches:
            pixels.write(images, batch)
            images += len(batch)
            total += batch.sum(axis=0, dtype=np.float64)
        plan.check(images)
        mean = total / images
        centered_blocks = partial(_centered, pixels, mean, plan, images)
        products = SymmetricMatrix(images, plan.workers)
        for _, centered in centered_blocks("inner products"):
            products.add_product(centered)
        total_variance = products.trace() / (images - 1)
        pairs = plan.pairs(products, images, mean)
        del products
        weights: NDArray[Any] = (pairs.vectors / np.sqrt(pairs.values)).T.astype(plan.precision)
        rows = NpyMatrix.create(plan.scratch, len(weights), plan.dimension, "the components")
        for block, centered in centered_blocks("components"):
            _write_products(rows, block, weights, centered, plan.workers)
    return images, mean, rows, pairs, total_variance


def _write_products(
    rows: NpyMatrix, block: slice, weights: NDArray[Any], centered: NDArray[Any], workers: Workers
) -> None:
    """Write the columns ``weights @ centered`` of the components."""

    def write(piece: slice) -> None:
        columns = slice(block.start + piece.start, block.start + piece.stop)
        rows.write_columns(columns, weights @ centered[:, piece])

    workers.each(write, workers.pieces(centered.shape[1]))


def _centered(
    pixels: ColumnFile, mean: NDArray[np.float64], plan: _Plan, images: int, step: str
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Each block of columns, and its values minus their mean, (images, width); ``step`` is for the progress bar."""
    with console.progress(step, len(pixels.blocks), "blocks") as bar:
        for block in pixels.blocks:
            means = mean[block].astype(plan.precision)
            values: NDArray[Any] = np.empty((images, len(means)), plan.precision)

            def fill(rows: slice, block: slice = block, means: Any = means, values: Any = values) -> None:
                np.subtract(pixels.read(block, rows.start, rows.stop - rows.start), means, out=values[rows])

            plan.workers.each(fill, pieces_of(images, 8 * plan.workers.count, least=64))
            yield block, values
            bar.advance()


def _by_covariance(batches: Iterable[NDArray[np.float32]], plan: _Plan) -> _Fitted:
    scatter = SymmetricMatrix(plan.dimension, plan.workers)
    images, total = 0, np.zeros(plan.dimension)
    origin: NDArray[Any] = np.zeros(plan.dimension)
    for block in _gathered(batches, max(64, BLOCK_BYTES // (8 * plan.dimension))):
        if not images:
            # The mean of the first block is near the mean of all images, so that the correction at the end is small.
            origin = block.mean(axis=0, dtype=np.float64).astype(plan.precision)
        moved: NDArray[Any] = block.astype(plan.precision) - origin
        scatter.add_product(moved.T)
        total += moved.sum(axis=0, dtype=np.float64)
        images += len(block)
    plan.check(images)
    scatter.subtract_outer(total / np.sqrt(images))
    total_variance = scatter.trace() / (images - 1)
    mean = origin + total / images
    pairs = plan.pairs(scatter, images, mean)
    rows = NpyMatrix.create(plan.scratch, len(pairs.values), plan.dimension, "the components")
    for columns in _blocks(rows, plan.workers):
        rows.write_columns(columns, pairs.vectors[columns].T)
    return images, mean, rows, pairs, total_variance


def _gathered(batches: Iterable[NDArray[np.float32]], rows: int) -> Iterator[NDArray[np.float32]]:
    """Batches, joined into blocks of at least ``rows`` rows; the last block may have fewer."""
    waiting: list[NDArray[np.float32]] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= rows:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _blocks(rows: NpyMatrix, workers: Workers) -> list[slice]:
    """Blocks of columns; each worker holds one block in memory."""
    width = max(16, BLOCK_BYTES // (8 * rows.shape[0] * workers.count))
    return [slice(start, min(start + width, rows.shape[1])) for start in range(0, rows.shape[1], width)]


def _orthonormalize(rows: NpyMatrix, workers: Workers) -> float:
    """Make nearly orthonormal rows orthonormal, in place, and set their signs.

    Rows that are orthonormal up to rounding stay. For others, one step of Cholesky QR: with V V' = L L', the rows of
    L^-1 V are orthonormal. L is triangular, so that the first k rows of V and of L^-1 V span the same space.

    Returns:
        The largest deviation of V V' from the identity after the step.
    """
    blocks = _blocks(rows, workers)
    gram = _gram(rows, blocks, workers)
    if _deviation(gram) > ROUNDING:
        factor = scipy.linalg.cholesky(gram, lower=True)

        def solve(block: slice) -> None:
            columns = rows.read_columns(block).astype(np.float64)
            rows.write_columns(block, scipy.linalg.solve_triangular(factor, columns, lower=True, overwrite_b=True))

        workers.each(solve, blocks)
        gram = _gram(rows, blocks, workers)
    _set_signs(rows, blocks, workers)
    return _deviation(gram)


def _deviation(gram: NDArray[np.float64]) -> float:
    """The largest deviation from the identity."""
    return float(np.abs(gram - np.eye(len(gram))).max())


def _set_signs(rows: NpyMatrix, blocks: list[slice], workers: Workers) -> None:
    """Make the entry of each row with the largest absolute value positive, in place."""

    def largest(block: slice) -> NDArray[np.float32]:
        values = rows.read_columns(block)
        peaks: NDArray[np.float32] = values[np.arange(len(values)), np.abs(values).argmax(axis=1)]
        return peaks

    peaks = np.stack(list(workers.map(largest, blocks)))
    sign = np.sign(peaks[np.abs(peaks).argmax(axis=0), np.arange(rows.shape[0])])
    if (sign < 0).any():
        workers.each(lambda block: rows.write_columns(block, rows.read_columns(block) * sign[:, np.newaxis]), blocks)


def _gram(rows: NpyMatrix, blocks: list[slice], workers: Workers) -> NDArray[np.float64]:
    def product(block: slice) -> NDArray[np.float64]:
        values = rows.read_columns(block).astype(np.float64)
        return values @ values.T

    gram = np.zeros((rows.shape[0], rows.shape[0]))
    for part in workers.map(product, blocks):
        gram += part
    return gram

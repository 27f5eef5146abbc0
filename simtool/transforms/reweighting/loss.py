"""The logistic loss of comparisons: how improbable a model finds what people judged, and its derivatives.

With the similarity s and the scale b, a model expects with the probability ``1 / (1 + exp(-b (s(anchor, near) -
s(anchor, far))))`` that people judge ``near`` to be nearer than ``far``. This is Luce's choice between two images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons

__all__ = ["PairwiseLoss", "Similarity", "Slopes"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]

#: Cells of the matrix of similarities that are in memory at once.
_CELLS = 1 << 22
#: A vector of length 0 has no direction; this length replaces it.
_SHORTEST = 1e-150
#: The largest logarithm of the scale. A larger scale changes no probability, and a long step of a search overflows.
_STEEPEST = 100.0


class Similarity(StrEnum):
    """The distances of ``score`` by which comparisons can be learned."""

    COSINE = "cosine"
    MSE = "mse"
    DOT = "dot"


@dataclass(frozen=True)
class Slopes:
    """The derivatives of a loss.

    Attributes:
        anchor: (n, K) by the vectors of the anchors.
        other: (n, K) by the vectors that are compared with them.
        log_scale: by the logarithm of the scale.
    """

    anchor: Array
    other: Array
    log_scale: float


@dataclass(frozen=True)
class _Block:
    """Comparisons of consecutive anchors.

    Attributes:
        anchors: which images are anchors.
        rows: the comparisons.
        near: cells of the (anchors, n) matrix of similarities.
        far: the same.
    """

    anchors: slice
    rows: slice
    near: Places
    far: Places


class PairwiseLoss:
    """The mean logistic loss of C comparisons of n images. Equal comparisons are computed once.

    Args:
        comparisons: C comparisons, of images that are counted from 0.
        images: n.
        similarity: between vectors. ``mse`` is the negative squared distance.

    Attributes:
        count: C.
    """

    def __init__(self, comparisons: Comparisons, images: int, similarity: Similarity) -> None:
        key = comparisons.anchor.astype(np.int64) * images + comparisons.near
        distinct, count = np.unique(key * images + comparisons.far, return_counts=True)
        self._images, self._similarity = images, similarity
        self.count = len(comparisons)
        self._share = count / self.count
        self._blocks = list(_blocks(distinct, images))

    def __call__(self, anchor: Array, other: Array, log_scale: float) -> tuple[float, Slopes]:
        """The loss in nats, and its derivatives.

        Args:
            anchor: (n, K) vectors of images as anchors.
            other: (n, K) vectors of images that are compared with an anchor.
            log_scale: the logarithm of the scale b.
        """
        if self._similarity is not Similarity.COSINE:
            return self._products(anchor, other, log_scale)
        units = [_Unit.of(vectors) for vectors in (anchor, other)]
        value, slopes = self._products(units[0].vectors, units[1].vectors, log_scale)
        return value, Slopes(units[0].back(slopes.anchor), units[1].back(slopes.other), slopes.log_scale)

    def _products(self, anchor: Array, other: Array, log_scale: float) -> tuple[float, Slopes]:
        """The same, with the similarity as inner products, less the squared lengths for ``mse``."""
        squared = self._similarity is Similarity.MSE
        factor, length = (2.0, np.einsum("nk,nk->n", other, other)) if squared else (1.0, np.zeros(self._images))
        scale, value, by_scale = float(np.exp(min(log_scale, _STEEPEST))), 0.0, 0.0
        by_anchor, by_other, total = np.zeros_like(anchor), np.zeros_like(other), np.zeros(self._images)
        for block in self._blocks:
            similar = factor * (anchor[block.anchors] @ other.T) - length
            cells = similar.ravel()
            margin, share = scale * (cells[block.near] - cells[block.far]), self._share[block.rows]
            small = np.exp(-np.abs(margin))
            value += share @ (np.maximum(-margin, 0) + np.log1p(small))
            slope = -share * np.where(margin >= 0, small, 1) / (1 + small)
            by_scale += slope @ margin
            by_cell = np.bincount(block.near, slope, cells.size) - np.bincount(block.far, slope, cells.size)
            weight = scale * by_cell.reshape(similar.shape)
            by_anchor[block.anchors] = factor * (weight @ other)
            by_other += factor * (weight.T @ anchor[block.anchors])
            total += weight.sum(axis=0)
        if squared:
            by_other -= 2 * total[:, None] * other
        return float(value), Slopes(by_anchor, by_other, float(by_scale) if log_scale < _STEEPEST else 0.0)


def _blocks(distinct: NDArray[np.int64], images: int) -> Iterator[_Block]:
    """Divide comparisons, whose keys ascend by anchor, into blocks of anchors."""
    anchor, near, far = distinct // images**2, distinct // images % images, distinct % images
    step = max(1, _CELLS // images)
    for first in range(0, images, step):
        start, stop = np.searchsorted(anchor, [first, first + step])
        if start == stop:
            continue
        rows = slice(int(start), int(stop))
        corner = (anchor[rows] - first) * images
        yield _Block(slice(first, min(first + step, images)), rows, corner + near[rows], corner + far[rows])


@dataclass(frozen=True)
class _Unit:
    """Vectors scaled to length 1, (n, K), and their lengths before, (n, 1)."""

    vectors: Array
    length: Array

    @classmethod
    def of(cls, vectors: Array) -> _Unit:
        length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _SHORTEST)
        return cls(vectors / length, length)

    def back(self, slope: Array) -> Array:
        """The derivatives by the vectors before they were scaled."""
        along = np.einsum("nk,nk->n", slope, self.vectors)[:, None]
        result: Array = (slope - along * self.vectors) / self.length
        return result

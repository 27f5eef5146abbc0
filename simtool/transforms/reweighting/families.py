"""Families of linear maps that a reweighting can learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError
from simtool.tables.embeddings import Segment

__all__ = ["Factors", "Family", "Kind", "Matrix", "family_of"]

Array = NDArray[np.float64]


class Kind(StrEnum):
    """A kind of map to learn."""

    #: A factor for each value.
    DIAGONAL = "diagonal"
    #: A map to a few values.
    LOW_RANK = "low-rank"
    #: A square matrix.
    FULL = "full"
    #: A square matrix for the anchor (the query), and another one for the images that are compared with it.
    ASYMMETRIC = "asymmetric"
    #: A factor for each segment of a vector, such as a scale of a flow.
    SEGMENTS = "segments"

    @property
    def sides(self) -> int:
        """The number of maps: 2 if the anchor has its own."""
        return 2 if self is Kind.ASYMMETRIC else 1


class Family(ABC):
    """Linear maps of vectors with D values to vectors with K values, described by P parameters.

    Attributes:
        start: (P,) the parameters of the identity, or of the map that replaces it.
    """

    start: Array

    @abstractmethod
    def apply(self, parameters: Array, vectors: Array) -> Array:
        """Transform (n, D) vectors to (n, K) vectors."""

    @abstractmethod
    def gradient(self, vectors: Array, slope: Array) -> Array:
        """The derivatives of a loss by the parameters, (P,).

        Args:
            vectors: (n, D) that were transformed.
            slope: (n, K) the derivatives of the loss by the transformed vectors.
        """

    @abstractmethod
    def weights(self, parameters: Array) -> Array:
        """The map as a matrix, (D, K), or as factors, (D,)."""


class Factors(Family):
    """A factor for each group of values.

    Args:
        group: (D,) the group of each value, counted from 0.
    """

    def __init__(self, group: NDArray[np.intp]) -> None:
        self._group = group
        self.start = np.ones(int(group.max()) + 1)

    def apply(self, parameters: Array, vectors: Array) -> Array:
        """See :meth:`Family.apply`."""
        return vectors * self.weights(parameters)

    def gradient(self, vectors: Array, slope: Array) -> Array:
        """See :meth:`Family.gradient`."""
        each = np.einsum("nd,nd->d", vectors, slope)
        sums: Array = np.bincount(self._group, each, self.start.size).astype(np.float64, copy=False)
        return sums

    def weights(self, parameters: Array) -> Array:
        """See :meth:`Family.weights`."""
        weights: Array = parameters[self._group]
        return weights


class Matrix(Family):
    """Any matrix with D rows and K columns; it starts as the first K columns of the identity."""

    def __init__(self, rows: int, columns: int) -> None:
        self._shape = (rows, columns)
        self.start = np.eye(rows, columns).ravel()

    def apply(self, parameters: Array, vectors: Array) -> Array:
        """See :meth:`Family.apply`."""
        return vectors @ self.weights(parameters)

    def gradient(self, vectors: Array, slope: Array) -> Array:
        """See :meth:`Family.gradient`."""
        product: Array = vectors.T @ slope
        return product.ravel()

    def weights(self, parameters: Array) -> Array:
        """See :meth:`Family.weights`."""
        return parameters.reshape(self._shape)


def family_of(kind: Kind, dimension: int, rank: int, segments: Sequence[Segment] = ()) -> Family:
    """The family of a kind, for vectors with ``dimension`` values.

    Args:
        kind: what is learned.
        dimension: D.
        rank: K of ``low-rank``.
        segments: of the vectors, for ``segments``.

    Raises:
        UsageError: the rank is larger than the dimension.
    """
    if kind is Kind.SEGMENTS:
        sizes = [segment.length for segment in segments for _ in range(segment.count)]
        return Factors(np.repeat(np.arange(len(sizes)), sizes))
    if kind is Kind.DIAGONAL:
        return Factors(np.arange(dimension))
    if kind is Kind.LOW_RANK and not 1 <= rank <= dimension:
        raise UsageError(f"--rank is a number from 1 to {dimension:,}, the number of components; not {rank:,}")
    return Matrix(dimension, rank if kind is Kind.LOW_RANK else dimension)

"""The space in which a reweighting learns: standardised vectors, and their principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, Segment
from simtool.transforms.pca import PrincipalComponents

__all__ = ["Space"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """A standardisation, and a projection on principal components, both fitted to the same images.

    Attributes:
        mean: (D,) of the images.
        std: the root of the mean squared length of their centered vectors; or (D,), of each segment.
        components: (K, D) orthonormal rows; None keeps all values.
    """

    mean: Array
    std: Array
    components: Array | None

    @classmethod
    def fit(cls, vectors: Array, components: int | None, segments: tuple[Segment, ...] = ()) -> Space:
        """Fit to the (n, D) vectors of training images.

        Args:
            vectors: of the images.
            components: how many to keep, or fewer if the images have no more; None keeps the values as they are.
            segments: of the vectors, each of which gets the same mean squared length.

        Raises:
            ModelError: all vectors are equal, or their squares are too large.
        """
        mean = vectors.mean(axis=0)
        with np.errstate(over="ignore"):
            squares = ((vectors - mean) ** 2).mean(axis=0)
        if not np.isfinite(squares.sum()):
            raise ModelError("the values of the vectors are too large; multiply all of them by one small number")
        if segments:
            sizes = [segment.length for segment in segments for _ in range(segment.count)]
            starts = np.cumsum([0, *sizes[:-1]])
            std = np.repeat(np.sqrt(np.add.reduceat(squares, starts) * len(sizes)), sizes)
            std[std == 0] = 1
        else:
            std = np.sqrt(squares.sum()) if squares.any() else np.ones(())
        if components is None:
            return cls(mean, np.asarray(std), None)
        names = [str(row) for row in range(len(vectors))]
        table = EmbeddingTable.of(names, vectors, EmbeddingInfo("vectors", vectors.shape[1]))
        found = PrincipalComponents.fit(table, components, fewer=True)
        return cls(mean, np.asarray(std), found.components)

    def coordinates(self, vectors: Array) -> Array:
        """The (n, K) coordinates of (n, D) vectors; (n, D) without components."""
        standard: Array = (vectors - self.mean) / self.std
        return standard if self.components is None else standard @ self.components.T

    def weights(self, weights: Array) -> Array:
        """A map of coordinates as a map of standardised values: (D, K), or (D,) for factors without components."""
        if self.components is None:
            return weights
        return self.components.T * weights if weights.ndim == 1 else self.components.T @ weights

"""Standardization of vectors: each dimension gets the mean 0 and the standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.files import TableError

__all__ = ["Standardization"]


@dataclass(frozen=True)
class Standardization:
    """A shift and a factor for each dimension.

    Attributes:
        mean: (D,) of the vectors that it was fitted to.
        factor: (D,) 1 / the standard deviation; 0 for a dimension that is constant.
    """

    name = "standardized"

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    @classmethod
    def fit(cls, table: EmbeddingTable) -> Self:
        """Find mean and standard deviation of each dimension of a table of vectors, in bounded memory.

        Raises:
            TableError: a variance does not fit float64.
        """
        return cls.of((block for _, block in table.batches(np.float64)), table.path)

    @classmethod
    def of(cls, blocks: Iterable[NDArray[np.floating[Any]]], path: Path) -> Self:
        """Find mean and standard deviation of each dimension of vectors of a table that come in blocks (rows, D).

        Raises:
            TableError: as for :meth:`fit`.
        """
        scaler = StandardScaler()
        with np.errstate(over="ignore", invalid="ignore"):
            for block in blocks:
                scaler.partial_fit(block)
        if not np.isfinite(scaler.var_).all():
            raise TableError(f"{path}: its values are too large; multiply all vectors by one small number")
        # The scaler gives a constant dimension the scale 1, whatever rounding makes of its variance.
        constant = scaler.scale_ != np.sqrt(scaler.var_)
        return cls(scaler.mean_, np.where(constant, 0, 1 / scaler.scale_))

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.mean)

    @property
    def constant(self) -> int:
        """The number of constant dimensions, which become 0."""
        return int((self.factor == 0).sum())

    def apply(self, vectors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Standardize (n, D) vectors."""
        standard: NDArray[np.float64] = (vectors - self.mean) * self.factor
        return standard

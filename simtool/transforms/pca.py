"""Principal components of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simtool.models.pca.fit import fit_components
from simtool.tables.embeddings import EmbeddingTable

__all__ = ["PrincipalComponents"]


@dataclass(frozen=True)
class PrincipalComponents:
    """A projection on principal components.

    Attributes:
        mean: (D,) of the vectors that it was fitted to.
        components: (K, D), orthonormal rows in order of variance.
        explained: the share of the variance that the K components explain.
    """

    #: Components that are kept where no number is given.
    MOST = 100

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    explained: float

    @classmethod
    def fit(
        cls, table: EmbeddingTable, components: int | None = None, scratch: Path | None = None, fewer: bool = False
    ) -> Self:
        """Find the K exact components of a table of vectors; without K all, at most ``MOST``.

        ``fewer`` keeps fewer components if there are not so many.

        Raises:
            ModelError: there are not so many components, or all vectors are equal.
        """
        fit = fit_components(
            (block for _, block in table.batches(table.dtype)),
            len(table),
            table.info.dimension,
            components or cls.MOST,
            scratch,
            fewer=fewer or components is None,
            what="vectors",
        )
        count = len(fit.variance)
        return cls(fit.mean, fit.components.read_rows(count).astype(np.float64), fit.explained(count))

    @property
    def name(self) -> str:
        """``PCA K``."""
        return f"PCA {self.dimension}"

    @property
    def dimension(self) -> int:
        """K."""
        return len(self.components)

    def apply(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project (n, D) vectors on the components: (n, K)."""
        projected: NDArray[np.float64] = (vectors - self.mean) @ self.components.T
        return projected

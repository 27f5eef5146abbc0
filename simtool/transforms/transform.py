"""The interface of a transform, and its application to a table of embeddings."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simtool.tables.embeddings import EmbeddingCollector, EmbeddingInfo, EmbeddingTable, EmbeddingWriter
from simtool.tables.files import TableError

__all__ = ["Transform", "transform_table", "transformed_info"]


class Transform(Protocol):
    """A map from vectors to vectors, fitted to a table of embeddings.

    A transform has a constructor ``fit(table, ...)`` and is immutable afterwards.
    """

    @property
    def name(self) -> str:
        """A short label, for example ``PCA 100``."""

    @property
    def dimension(self) -> int:
        """K, the length of a transformed vector."""

    def apply(self, vectors: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        """Transform (n, D) vectors to (n, K) vectors."""


def transformed_info(
    transform: Transform, table: EmbeddingTable, name: str | None = None, learned: bool = False
) -> EmbeddingInfo:
    """The metadata of a transformed table.

    Without a label for reports, it joins the names of table and transform. ``learned`` is True if the transform was
    learned from judgments. Vectors of a control and of its model have equal origins after equal transforms.
    """
    return EmbeddingInfo(
        name=name or f"{table.info.name}, {transform.name}",
        dimension=transform.dimension,
        preprocessing=table.info.preprocessing,
        model=table.info.model,
        layer=table.info.layer,
        untrained=table.info.untrained,
        origin=table.info.origin and f"{table.info.origin}, {transform.name}",
        learned=learned or table.info.learned,
        distances=table.info.distances,
    )


def transform_table(transform: Transform, table: EmbeddingTable, writer: EmbeddingWriter | EmbeddingCollector) -> None:
    """Transform a table of (n, D) vectors block by block to (n, K) vectors, in bounded memory.

    Raises:
        TableError: a transformed value does not fit 32 bits.
    """
    for rows, block in table.batches(np.float64):
        with np.errstate(over="ignore", invalid="ignore"):
            vectors = transform.apply(block)
        if not np.abs(vectors).max() <= np.finfo(np.float32).max:  # also if it is not a number
            raise TableError(f"{table.path}: its values are too large; multiply all vectors by one small number")
        writer.write(table.image_id[rows], vectors.astype(np.float32))

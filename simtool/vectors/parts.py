"""A table of embeddings in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from simtool.tables.embeddings import open_embeddings
from simtool.tables.parts import part_files
from simtool.vectors.vectors import Block, Vectors

__all__ = ["open_parts"]


def open_parts(folder: Path) -> Vectors:
    """Open a folder whose files are one table.

    Raises:
        TableError: the files are no table of embeddings, or parts are missing.
    """
    table = open_embeddings(folder)

    def blocks() -> Iterator[Block]:
        for _, block in table.batches(np.float64):
            yield block

    shape = table.info.shape or (table.info.dimension,)
    return Vectors(folder, len(table), shape, blocks, tuple(part_files(folder)), table.image_id.tolist())

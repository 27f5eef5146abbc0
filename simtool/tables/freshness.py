"""Whether a table of embeddings has to be written again, or stands already as it would be written now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tables.embeddings import EmbeddingInfo, open_embeddings
from simtool.tables.files import TableError
from simtool.tables.provenance import Provenance

__all__ = ["is_fresh"]


def is_fresh(
    path: Path, image_id: NDArray[np.object_], info: EmbeddingInfo, provenance: Provenance, float16: bool
) -> bool:
    """Whether the same command has written this table from the same inputs, and it is whole; reads it once.

    Args:
        path: where the table would be written.
        image_id: (n,) of which images.
        info: what it would say about itself.
        provenance: where it would say that it comes from.
        float16: whether it would hold half-precision numbers.
    """
    try:
        table = open_embeddings(path)
        for _ in table.batches():
            pass
    except TableError:
        return False
    skipped = table.info.skipped
    return (
        replace(table.info, skipped=()) == info
        and (table.dtype == np.float16) is float16
        and table.image_id.tolist() == [name for name in image_id if name not in skipped]
        and table.provenance is not None
        and _origin(table.provenance) == _origin(provenance)
    )


def _origin(provenance: Provenance) -> tuple[Any, ...]:
    """What decides on the content: the program, its arguments, its inputs' content; not the folders where they lay."""
    arguments = tuple(PurePath(word).name for word in provenance.command)
    return provenance.created_by, arguments, tuple(file.sha256 for file in provenance.inputs)

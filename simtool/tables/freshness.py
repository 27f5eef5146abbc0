"""Check whether an existing table of embeddings is up to date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from simtool.tables.embeddings import EmbeddingInfo, open_embeddings
from simtool.tables.files import TableError
from simtool.tables.provenance import Provenance

__all__ = ["is_fresh"]


def is_fresh(
    path: Path, image_id: NDArray[np.object_], info: EmbeddingInfo, provenance: Provenance, float16: bool
) -> bool:
    """Return whether the same command wrote this table from the same content, and the table is intact.

    ``info``, ``provenance`` and ``float16`` (half-precision numbers) are those of a new table of the images.
    """
    try:
        table = open_embeddings(path)
        for _ in table.batches(np.float64):
            pass
    except TableError:
        return False
    skipped, known = table.info.skipped, table.provenance
    if known is None or _command(known) != _command(provenance):
        return False
    if table.info.images_digest is None:  # an older version compared the tables of images byte by byte
        if [file.sha256 for file in known.inputs] != [file.sha256 for file in provenance.inputs]:
            return False
        info = replace(info, images_digest=None, files_digest=None)
    return (
        replace(table.info, skipped=(), images_sample=()) == replace(info, images_sample=())
        and (table.dtype == np.float16) is float16
        and table.image_id.tolist() == [name for name in image_id if name not in skipped]
    )


def _command(provenance: Provenance) -> tuple[str, tuple[str, ...]]:
    """Return the program and its arguments without folders."""
    return provenance.created_by, tuple(PurePath(word).name for word in provenance.command)

"""Whether a table of embeddings has to be written again, or stands already as it would be written now."""

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
    """Whether the same command has written this table from the same content, and it is whole; reads it once.

    Args:
        path: where the table would be written.
        image_id: (n,) of which images.
        info: what it would say about itself, with the digests of its images.
        provenance: where it would say that it comes from.
        float16: whether it would hold half-precision numbers.
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
    if table.info.images_digest is None:  # of a version that compared the tables of images byte by byte
        if [file.sha256 for file in known.inputs] != [file.sha256 for file in provenance.inputs]:
            return False
        info = replace(info, images_digest=None, files_digest=None)
    return (
        replace(table.info, skipped=(), images_sample=()) == replace(info, images_sample=())
        and (table.dtype == np.float16) is float16
        and table.image_id.tolist() == [name for name in image_id if name not in skipped]
    )


def _command(provenance: Provenance) -> tuple[str, tuple[str, ...]]:
    """The program and its arguments; not the folders where the files lay."""
    return provenance.created_by, tuple(PurePath(word).name for word in provenance.command)

"""Compress: from vectors to their principal components."""

from __future__ import annotations

from pathlib import Path

from simtool.errors import SimtoolError
from simtool.stages.arguments import at_least
from simtool.stages.run import api, path_of, stage, table_file
from simtool.tables.embeddings import EmbeddingTable
from simtool.text import counted
from simtool.transforms.pca import PrincipalComponents
from simtool.transforms.transform import transform_table, transformed_info

__all__ = ["compress"]


@api
def compress(
    table: str | Path | EmbeddingTable,
    out: str | Path | None = None,
    *,
    components: int | None = None,
    fit: str | Path | EmbeddingTable | None = None,
    name: str | None = None,
    scratch: str | Path | None = None,
) -> EmbeddingTable:
    """Project the vectors of any model on their principal components.

    Args:
        table: a table of embeddings.
        out: the Parquet file to write; None keeps the vectors in memory.
        components: how many to keep; None for as many as there are, at most 100.
        fit: fit the components to these vectors of the same model instead, for example of more images.
        name: the label in reports; None adds ``PCA K`` to the name of ``table``.
        scratch: a folder for scratch files; None for the system's temporary folder.

    Returns:
        The table of projected vectors.

    Raises:
        SimtoolError: the two tables hold vectors of two models, there are not so many components, or the vectors are
            made for another distance than ``mse``, which their components do not keep.

    Example:
        >>> from simtool import stages
        >>> stages.compress("latents.parquet", components=10).info.name  # doctest: +SKIP
        'glow, PCA 10'
    """
    at_least(1, components=components)
    with stage("compress", reads=[path_of(table), path_of(fit)], writes=[table_file(out)]) as run:
        source = run.read_embeddings(table)
        source.check_euclidean("compress keeps")
        known = source if fit is None or fit == table else run.read_embeddings(fit)
        if (known.info.dimension, known.info.model) != (source.info.dimension, source.info.model):
            raise SimtoolError(
                f"{known.path} and {source.path} hold vectors of two models; give --fit vectors of the same model"
            )
        transform = PrincipalComponents.fit(known, components, path_of(scratch))
        info = transformed_info(transform, source, name)
        with run.embeddings(out, info) as writer:
            transform_table(transform, source, writer)
        if out is not None:
            vectors = f"{counted(len(source), 'vectors')} of {counted(info.dimension, 'values')}"
            run.wrote(Path(out), f"{vectors}, {transform.explained:.4f} of variance")
    return writer.table

"""Transform: from vectors to vectors, by a transform in a file."""

from __future__ import annotations

from pathlib import Path

from simtool.stages.run import Folder, api, path_of, stage, table_file
from simtool.tables.distances import DistanceTable, write_distances
from simtool.tables.embeddings import EmbeddingTable
from simtool.text import counted
from simtool.transforms.stored import StoredTransform
from simtool.transforms.transform import transform_table, transformed_info

__all__ = ["transform"]


@api
def transform(
    table: str | Path | EmbeddingTable,
    model: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
) -> EmbeddingTable | DistanceTable:
    """Transform the vectors of any images as ``reweight`` or gLocal learned it.

    Args:
        table: a table of embeddings of the same network and layer.
        model: a model folder that ``reweight`` wrote, or a ``transform.npz`` of gLocal.
        out: the Parquet table to write; None keeps it in memory.
        name: the label in reports; None adds the name of the transform to the name of ``table``.

    Returns:
        The table of transformed vectors. An asymmetric transform gives a table of distances instead, because its two
        maps make no single vector: the distance of each ordered pair, from the anchor.

    Raises:
        SimtoolError: the transform does not fit the vectors, is damaged, or was learned from vectors of another model.

    Example:
        >>> from simtool import stages
        >>> stages.transform("new-birds.parquet", "reweighted", "new-birds-reweighted.parquet")  # doctest: +SKIP
        EmbeddingTable(network, full, 500 images, 64 values)
    """
    place = Path(model)
    files = [place / "model.json"] if place.is_dir() else [place]
    reads = [path_of(table), Folder(place) if place.is_dir() else place]
    with stage("transform", reads=reads, writes=[table_file(out)]) as run:
        run.begin(table, *files)
        source = run.read_embeddings(table)
        found = StoredTransform.read(place, source)
        run.read(place, f"a transform to {counted(found.map.dimension, 'values')} ({found.name})", files)
        info = transformed_info(found.map, source, name, learned=True)
        if found.anchor is not None:
            distances = found.distances(source, info.name)
            if out is not None:
                write_distances(Path(out), distances, run.provenance())
                run.wrote(Path(out), f"distances of {counted(len(distances), 'ordered pairs')} ({info.name})")
            return distances
        with run.embeddings(out, info) as writer:
            transform_table(found.map, source, writer)
        if out is not None:
            run.wrote(Path(out), f"{counted(len(source), 'vectors')} of {counted(info.dimension, 'values')}")
    return writer.table

"""``simtool export-distances``: the distances of all pairs of images of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import word

__all__ = ["export_distances"]


def export_distances(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A table of embeddings or of distances.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="File to write: .hdf5 for rsatoolbox, .csv, or a .parquet table.")
    ],
    distance: Annotated[
        str | None, typer.Option(metavar="D", help="Distance between vectors, as in score; required for embeddings.")
    ] = None,
    name: Annotated[str | None, word(help="Label of the model. [the name in TABLE]")] = None,
) -> None:
    """Write the distances of all pairs of images: an RDM for rsatoolbox, or a table of pairs.

    The numbers are those that score compares: for example, cosine is 1 - cosine similarity.
    mse is rsatoolbox's squared Euclidean distance (divided by the number of channels), and the
    file states this name. rsatoolbox can load ids in ASCII only. A .csv or .parquet file has the
    columns image_1, image_2 and distance; score takes the .parquet file.

    \b
    Example:
      simtool export-distances pixels.parquet --distance cosine --out rdm.hdf5
      simtool export-distances pixels.parquet --distance mse --out pairs.csv
    """
    stages.export_distances(table, out, distance=distance, name=name)

"""``simtool import-distances``: from distances of pairs of images in other layouts to a table of distances."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import table, word

__all__ = ["import_distances"]


def import_distances(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Table of pairs, matrix, rsatoolbox's RDMs, or a Meadows file.")
    ],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table of distances to write.")],
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            "--ids",
            metavar="FILE",
            help="Text with one image id a line, for a matrix without names; or the pattern descriptor of rsatoolbox "
            "that names the images.",
        ),
    ] = None,
    rdm: Annotated[str | None, word(help="Which RDM, if SOURCE holds several: its name, or its number from 0.")] = None,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="Larger numbers mean more similar: the distance is minus the number.")
    ] = False,
    asymmetric: Annotated[
        bool,
        typer.Option("--asymmetric", help="The distance from row to column (image_1 to image_2) depends on direction."),
    ] = False,
    name: Annotated[str | None, word(help="Label in reports. [the name of SOURCE, and of the RDM]")] = None,
    images: Annotated[
        Path | None, table(help="Use the ids of this table of images; other spellings match too.")
    ] = None,
) -> None:
    """Convert distances of pairs of images to a table of distances.

    A model without vectors (LPIPS, edit distances, human dissimilarities) is scored by its
    distances: score takes the table beside tables of embeddings. SOURCE is one of

    \b
      a table of pairs: Parquet or CSV with the columns image_1, image_2 and distance
      a square matrix: CSV with a header and a first column of ids; CSV, text, .npy or .mat
        with --names; also its upper triangle, row by row
      RDMs of rsatoolbox (HDF5); downloads of Meadows (.mat, JSON)

    Refused: NaN, negative distances, a matrix that is not symmetric (without --asymmetric), and a
    diagonal that is not 0 (without --similarity). With --asymmetric, a comparison takes the
    distances from its anchor (the query).

    \b
    Example:
      simtool import-distances lpips.npy --names names.txt --images images.parquet --out lpips.parquet
      simtool import-distances rdms.hdf5 --rdm s1 --out person-1.parquet
    """
    stages.import_distances(
        source,
        out,
        names=names,
        rdm=rdm,
        similarity=similarity,
        asymmetric=asymmetric,
        name=name,
        images=images,
    )

"""``simtool combine``: the sum of the distances of several models, as a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import number, whole, word

__all__ = ["combine"]


def combine(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE", help="Tables of embeddings, or of distances.")],
    out: Annotated[
        list[Path], typer.Option("--out", metavar="TABLE", help="The Parquet table to write; one for each --distance.")
    ],
    distance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="D",
            help="Distance to add up: mse, cosine, mse/segments, cosine/segments, manhattan, dot or correlation; "
            "repeat --distance and --out for several. [mse and cosine]",
        ),
    ] = None,
    weight: Annotated[
        list[float] | None, number(help="Weight of a table's distance; one --weight for each TABLE, in order. [1]")
    ] = None,
    standardize: Annotated[
        bool,
        typer.Option("--standardize", help="First give each dimension the mean 0 and the standard deviation 1."),
    ] = False,
    name: Annotated[str | None, word(help="Label in reports. [the names of the tables: A + B]")] = None,
    seed: Annotated[int, whole(min=0, help="Seed of the sample of more than 1,000 images.")] = 0,
) -> None:
    """Add up the distances of several models, as one model: does model A add to model B?

    The distance of two images is the sum of their distances in the tables, each divided by its
    standard deviation over all pairs of images (of more than 1,000 images: over the pairs of 1,000).
    The result holds the images of the first TABLE. Its vectors are for one distance only, which score
    then uses. With one TABLE, --standardize writes the standardized table, for all distances.
    Tables of distances give a table of distances.

    \b
    Example:
      simtool combine colour.parquet glow.parquet --distance cosine --out both.parquet
      simtool combine colour.parquet glow.parquet --distance mse --out both-mse.parquet \\
          --distance cosine --out both-cosine.parquet
      simtool combine colour.parquet --standardize --out standardized.parquet
    """
    stages.combine(
        tables,
        out,
        distances=distance or (),
        weights=weight or (),
        standardize=standardize,
        name=name,
        seed=seed,
    )

"""``simtool transform``: from vectors to vectors, by a learned transform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import word

__all__ = ["transform"]


def transform(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A table of embeddings.")],
    model: Annotated[
        Path,
        typer.Option("--with", metavar="MODEL", help="A model folder of reweight, or a transform.npz of gLocal."),
    ],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table to write.")],
    name: Annotated[str | None, word(help="Label in reports. [the name of TABLE, the name of MODEL]")] = None,
) -> None:
    """Transform the vectors of any images as reweight or gLocal learned it.

    TABLE comes from the same network and layer as the vectors that the transform was learned
    from. An asymmetric transform writes a table of distances, because it has no single vector
    for an image.

    The new vectors are for new judgments. On the judgments that the transform was learned from,
    their accuracy is too high: report the OUTCOMES of reweight instead.

    \b
    Example:
      simtool transform new-birds.parquet --with reweighted --out new-birds-reweighted.parquet
    """
    stages.transform(table, model, out, name=name)

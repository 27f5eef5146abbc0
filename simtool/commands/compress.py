"""``simtool compress``: from vectors to their principal components."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import whole, word

__all__ = ["compress"]


def compress(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A table of embeddings.")],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table of embeddings to write.")],
    components: Annotated[int | None, whole(min=1, help="Number of components. [all, at most 100]")] = None,
    fit: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Fit to these vectors of the same model. [TABLE]")
    ] = None,
    name: Annotated[str | None, word(help="Label in reports. [the name of TABLE, PCA K]")] = None,
    scratch: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for scratch files. [TMPDIR]")] = None,
) -> None:
    """Project the vectors of any model on their principal components.

    The components are exact, like those of fit-pca. Use it to find how few dimensions of a
    network predict the judgments as well as all of them.

    \b
    Example:
      simtool compress stimuli-latents.parquet --fit cub-latents.parquet --components 100 \\
          --out latents-pca.parquet
    """
    stages.compress(table, out, components=components, fit=fit, name=name, scratch=scratch)

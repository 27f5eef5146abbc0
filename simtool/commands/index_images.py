"""``simtool index-images``: from a folder of images to a table of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages

__all__ = ["index_images"]


def index_images(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder; images in folders below it count too.")],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table of images to write.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read as images, and name them.")
    ] = False,
    layout: Annotated[
        str,
        typer.Option(
            metavar="LAYOUT",
            help="Meaning of the folders, from the outermost: class, group/class, split/class, ...; flat: none.",
        ),
    ] = "auto",
) -> None:
    """Make a table of images from a folder of image files.

    The id of an image is its path below FOLDER. Its class is the folder that it lies in, its
    group the folder above: Cardinalidae/Blue_Grosbeak/X.jpg has class Blue_Grosbeak and group
    Cardinalidae. Folders named train, test, val or similar are splits: train/Blue_Grosbeak/X.jpg.
    If all images lie in one folder, they have no class. A note tells the layout that was found;
    --layout sets another. Only the headers of the files are read.

    \b
    Example:
      simtool index-images images --out images.parquet
      simtool index-images images --out images.parquet --layout split/group/class
    """
    stages.index_images(folder, out, skip_bad=skip_bad, layout=layout)

"""``simtool index-images``: any folder of images becomes a table of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import console
from simtool.commands.stage import Folder, stage
from simtool.errors import listed

__all__ = ["index_images"]


def index_images(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder; images in folders below it count too.")],
    out: Annotated[Path, typer.Option("--out", metavar="TABLE", help="The table of images to write.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read as images, and name them.")
    ] = False,
) -> None:
    """Make a table of images from a folder of image files.

    An image's id is its path below FOLDER, its class the folder that it lies in, its group the
    folder above that: Cardinalidae/Blue_Grosbeak/X.jpg has class Blue_Grosbeak in group
    Cardinalidae. In a flat folder images have neither. Only the files' headers are read.

    \b
    Example:
      simtool index-images photographs --out photographs.parquet
    """
    from simtool.datasets.folder import index_folder
    from simtool.tables.images import write_images

    with stage("index-images", reads=[Folder(folder)], writes=[out]) as run:
        index = index_folder(folder, out, skip_bad)
        count = f"{len(index.images):,} images"
        run.read(folder, f"{count}, {index.others:,} other files passed over" if index.others else count, files=())
        if index.bad:
            console.warn(f"left out {len(index.bad):,} files that cannot be read as images: {listed(index.bad, 10)}")
        write_images(out, index.images, run.provenance())
        classes = len({*zip(index.images.class_id, index.images.class_name, strict=True)})
        run.wrote(out, f"{count} of {classes:,} classes" if index.images.class_name[0] is not None else count)

"""``simtool index-images``: any folder of images becomes a table of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from simtool import console
from simtool.errors import listed
from simtool.stages.run import Folder, TableFile, stage
from simtool.text import counted, plural

__all__ = ["index_images"]


def index_images(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder; images in folders below it count too.")],
    out: Annotated[Path, typer.Option("--out", metavar="TABLE", help="The Parquet table of images to write.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read as images, and name them.")
    ] = False,
    layout: Annotated[
        str,
        typer.Option(
            metavar="LAYOUT",
            help="What folders are, an image's own last: class, group/class, split/class, class/other; flat: nothing.",
        ),
    ] = "auto",
) -> None:
    """Make a table of images from a folder of image files.

    An image's id is its path below FOLDER, its class the folder that it lies in, its group the
    folder above that: Cardinalidae/Blue_Grosbeak/X.jpg has class Blue_Grosbeak in group
    Cardinalidae. Folders called train, test, val or alike are splits: train/Blue_Grosbeak/X.jpg.
    Where all images lie in one folder they have no class. A note says what was taken for what;
    --layout says otherwise. Only the files' headers are read.

    \b
    Example:
      simtool index-images photographs --out photographs.parquet
      simtool index-images photographs --out photographs.parquet --layout split/group/class
    """
    from simtool.collections.folder import grouped, index_folder
    from simtool.tables.images import write_images

    with stage("index-images", reads=[Folder(folder)], writes=[TableFile(out)]) as run:
        index = index_folder(folder, out, skip_bad, layout)
        count = counted(len(index.images), "images")
        run.read(folder, f"{count}, {_passed_over(index.others)}" if index.others else count, files=())
        console.note(f"layout {folder}: {index.note}" + (" (--layout says otherwise)" if layout == "auto" else ""))
        if index.foreign:
            console.warn(
                f"passed over images of kinds that are not read, or without a suffix ({len(index.foreign):,}): "
                f"{listed(index.foreign)}; save them as JPEG or PNG"
            )
        if index.bad:
            console.warn(f"left out files that cannot be read as images ({len(index.bad):,}): {grouped(index.bad)}")
        write_images(out, index.images, run.provenance())
        classes = len({number for number in index.images.class_id.tolist() if number >= 0})
        run.wrote(out, f"{count} of {counted(classes, 'classes', 'class')}" if classes else count)


def _passed_over(others: Mapping[str, int]) -> str:
    """How many other files there are, and of which kinds."""
    total = sum(others.values())
    kinds = listed(f"{count:,} {suffix or 'without a suffix'}" for suffix, count in sorted(others.items()))
    return f"{total:,} other {plural(total, 'files')} passed over ({kinds})"

"""``simtool fetch-cub``: from CUB-200-2011 to a table of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages

__all__ = ["fetch_cub"]


def fetch_cub(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put the photographs; made if missing.")],
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="COPY",
            help="Unpack this copy of the archive, or copy this folder of an unpacked one; nothing is downloaded.",
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="URL", help="Download from here instead; repeat it for more mirrors."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="The archive must have this checksum, not the official."),
    ] = None,
    keep_archive: Annotated[
        bool, typer.Option("--keep-archive", help="Keep the downloaded archive (1.15 GB) after unpacking it.")
    ] = False,
) -> None:
    """Get the 11,788 photographs of birds of CUB-200-2011 and list them in a table of images.

    Downloads Caltech's archive (1.15 GB; an interrupted download goes on with the next run),
    checks it, unpacks it to FOLDER/CUB_200_2011 and writes FOLDER/images.parquet: class (CUB's
    number and name), split, bounding box, size. Run again, it replaces what is missing or
    damaged; where all is in place, it does nothing. Where FOLDER is the unpacked data set
    itself, it is listed as it is, and nothing is downloaded.

    \b
    Example:
      simtool fetch-cub cub
      simtool fetch-cub cub --archive CUB_200_2011.tgz      on a machine without network
    """
    stages.fetch_cub(folder, archive=archive, urls=url or (), sha256=sha256, keep_archive=keep_archive)

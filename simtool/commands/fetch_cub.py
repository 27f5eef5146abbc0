"""``simtool fetch-cub``: from CUB-200-2011 to a table of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import address

__all__ = ["fetch_cub"]


def fetch_cub(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the photographs; made if missing.")],
    archive: Annotated[
        Path | None,
        typer.Option(metavar="COPY", help="Use this copy (archive or unpacked folder) instead of a download."),
    ] = None,
    url: Annotated[list[str] | None, address(help="Mirror of the archive; may be given several times.")] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="Checksum that the archive must have. [the official one]")
    ] = None,
    keep_archive: Annotated[
        bool, typer.Option("--keep-archive", help="Keep the downloaded archive (1.15 GB).")
    ] = False,
) -> None:
    """Download the 11,788 photographs of CUB-200-2011 and list them in a table of images.

    Downloads Caltech's archive (1.15 GB), checks it, unpacks it to FOLDER/CUB_200_2011 and writes
    FOLDER/images.parquet: class (CUB's number and name), split, bounding box, size. Run it again
    to resume an interrupted download, or to replace missing and damaged photographs. If FOLDER is
    an unpacked copy of the data set, the command only lists it.

    \b
    Example:
      simtool fetch-cub cub
      simtool fetch-cub cub --archive CUB_200_2011.tgz      on a machine without network
    """
    stages.fetch_cub(folder, archive=archive, urls=url or (), sha256=sha256, keep_archive=keep_archive)

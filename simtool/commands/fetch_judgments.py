"""``simtool fetch-judgments``: from the birds-16 data to tables of trials and images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import address, file, table

__all__ = ["fetch_judgments"]


def fetch_judgments(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for tables and photographs; made if missing.")
    ],
    archive: Annotated[
        list[Path] | None,
        file(help="Use this copy (zip or folder) of judgments, photographs or both; may be given twice."),
    ] = None,
    images: Annotated[
        Path | None, table(help="Use the photographs of this table of images (for example CUB's), by file name.")
    ] = None,
    url: Annotated[
        list[str] | None, address(help="Mirror of the zip of judgments; may be given several times.")
    ] = None,
    photographs_url: Annotated[
        list[str] | None, address(help="Mirror of the zip of photographs; may be given several times.")
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option(metavar="HEX", help="Checksum that the zip of judgments must have. [the official one]"),
    ] = None,
) -> None:
    """Download the birds-16 judgments: similarity judgments of 208 photographs of 16 species.

    Downloads the judgments and the photographs of Roads & Mozer (2019) from osf.io, and writes
    FOLDER/trials.parquet, FOLDER/images.parquet and the photographs below FOLDER/images. The
    photographs are for research and must not be redistributed. A class is a species, a group a
    family.

    With --images, the command downloads only the judgments. FOLDER/images.parquet then holds the
    208 rows of that table. Seven photographs of CUB differ from those that people saw; a warning
    names them.

    \b
    Example:
      simtool fetch-judgments birds16
      simtool fetch-judgments birds16 --archive birds16_rank2019.zip --images cub/images.parquet
    """
    stages.fetch_judgments(
        folder,
        archives=archive or (),
        images=images,
        urls=url or (),
        photographs_urls=photographs_url or (),
        sha256=sha256 or (),
    )

"""``simtool fetch-judgments``: from the birds-16 data to tables of trials and images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages

__all__ = ["fetch_judgments"]


def fetch_judgments(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where tables and photographs go; made if missing.")],
    archive: Annotated[
        list[Path] | None,
        typer.Option(
            "--archive",
            metavar="FILE",
            help="A local copy instead of a download: a zip or folder of the judgments, the photographs or both; "
            "may be given twice.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="IMAGES",
            help="Join the judgments to this table of images by file name (for example CUB's), instead of fetching "
            "the photographs.",
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="URL", help="A mirror of the judgments' zip; may be given several times."),
    ] = None,
    photographs_url: Annotated[
        list[str] | None,
        typer.Option("--photographs-url", metavar="URL", help="The same for the photographs' zip."),
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option("--sha256", metavar="HEX", help="The checksum that the judgments' zip must have instead."),
    ] = None,
) -> None:
    """Get the birds-16 judgments: what people found alike among 208 photographs of 16 species.

    Downloads the judgments and the photographs of Roads & Mozer (2019) from osf.io, and writes
    FOLDER/trials.parquet, FOLDER/images.parquet and the photographs below FOLDER/images. The
    photographs are for research and may not be passed on. A class is a species, a group a family.

    With --images only the judgments are fetched; FOLDER/images.parquet then lists the 208 rows of
    that table. Seven photographs of CUB differ from what people saw; a warning names them.

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

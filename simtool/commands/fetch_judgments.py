"""``simtool fetch-judgments``: from the files of a published study to tables of trials and images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import console, stages
from simtool.commands.options import address, file, table, word
from simtool.text import scaled

__all__ = ["fetch_judgments"]


def _list(wanted: bool) -> None:
    if wanted:
        _registry()
        raise typer.Exit


def fetch_judgments(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for tables and photographs; made if missing.")
    ],
    study: Annotated[str, word(help="The study; --list shows all.")] = "birds-16",
    archive: Annotated[
        list[Path] | None,
        file(help="Use this copy (file, zip or folder) of judgments, photographs or both; may be given twice."),
    ] = None,
    images: Annotated[
        Path | None,
        table(
            help="Use the images of this table (for example CUB's), by file name; or name the images by a file, as "
            "in import-trials."
        ),
    ] = None,
    url: Annotated[
        list[str] | None, address(help="Mirror of the file of judgments; may be given several times.")
    ] = None,
    photographs_url: Annotated[
        list[str] | None, address(help="Mirror of the zip of photographs of birds-16; may be given several times.")
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option(metavar="HEX", help="Checksum that the file of judgments must have. [the known one]"),
    ] = None,
    registry: Annotated[  # noqa: ARG001 - the callback acts on it
        bool,
        typer.Option("--list", callback=_list, is_eager=True, help="List the studies and their licences, and exit."),
    ] = False,
) -> None:
    """Download the judgments of a published study: birds-16, imagenet-hsj, skin-lesions or things.

    Downloads the judgments from osf.io, checks them, and writes FOLDER/trials.parquet. An
    interrupted download resumes. --list shows each study with its licence, and where its images
    come from.

    birds-16 (the default; Roads & Mozer 2019) holds judgments of 208 photographs of 16 species. The
    command downloads the photographs too, puts them below FOLDER/images, and writes
    FOLDER/images.parquet. They are for research and must not be redistributed. A class is a
    species, a group a family. With --images, the command downloads only the judgments.
    FOLDER/images.parquet then holds the 208 rows of that table. Seven photographs of CUB differ
    from those that people saw; a warning names them.

    The images of the other studies cannot be downloaded. With --images, their judgments are joined
    to a table of your images.

    \b
    Example:
      simtool fetch-judgments birds16
      simtool fetch-judgments birds16 --archive birds16_rank2019.zip --images cub/images.parquet
      simtool fetch-judgments things --study things
    """
    stages.fetch_judgments(
        folder,
        study=study,
        archives=archive or (),
        images=images,
        urls=url or (),
        photographs_urls=photographs_url or (),
        sha256=sha256 or (),
    )


def _registry() -> None:
    """Print the studies as a table, and below it where their images come from."""
    from rich.table import Table

    from simtool.collections.studies import studies

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("study", "judgments", "size", "SHA-256 from", "licence"):
        shown.add_column(heading, no_wrap=heading in ("study", "size"))
    for entry in studies().values():
        size = "not known" if entry.judgments.size is None else scaled(entry.judgments.size, "B")
        shown.add_row(entry.name, entry.title, size, entry.sha256_by or "not known", entry.licence or "not known")
    console.result(shown)
    console.result_text("")
    console.result_facts("images", [(entry.name, entry.images_from) for entry in studies().values()])
    console.result_text("")
    console.result_facts("citations", [(entry.name, entry.citation) for entry in studies().values()])

"""``simtool import-trials``: from judgments in any known format to a table of trials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.judgments.formats import AUTO, format_names
from simtool.tables.observers import Observers

__all__ = ["import_trials"]


def import_trials(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A psiz HDF5 file, a folder or zip of psiz JSON, or a CSV.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="TABLE", help="The Parquet table of trials to write.")],
    catalog: Annotated[
        Path | None,
        typer.Option(
            "--catalog",
            metavar="FILE",
            help="Which images psiz's numbers are: its HDF5 catalog, stimuli.txt or CSV.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="IMAGES",
            help="Name images as this table of images does (by id, else by the spelling closest to it).",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar=f"[{'|'.join(format_names())}]",
            help="The format of SOURCE; auto detects it from the content.",
        ),
    ] = AUTO,
    observers: Annotated[
        Observers | None,
        typer.Option("--observers", help="Who judged; the table and reports then state it.", show_choices=True),
    ] = None,
) -> None:
    """Turn judgments of similarity into a table of trials.

    Reads psiz's HDF5 files of every age (with --catalog), the JSON sequences of psiz-datasets (a
    folder or zip with stimuli.txt), and a CSV with the header

    \b
      query,reference_1,...,reference_N,selected_1,...,selected_K

    whose cells are image ids; columns participant, session, weight, response_ms, ranked (true or
    false, for K > 1) and count (of identical judgments) are optional, and further columns are kept.
    An empty reference makes a trial shorter. A trial's id is its row in SOURCE, from 0. Catch trials
    (the query is among its references) and trials without an answer are dropped and counted.

    \b
    Example:
      simtool import-trials obs.hdf5 --catalog catalog.hdf5 --images images.parquet --out trials.parquet
    """
    stages.import_trials(source, out, catalog=catalog, images=images, format=kind, observers=observers)

"""``simtool import-trials``: from judgments in any known format to a table of trials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import file, pairs, table
from simtool.tables.observers import Observers

__all__ = ["import_trials"]


def import_trials(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A file, folder or zip of judgments in one of the formats above.")
    ],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table of trials to write.")],
    catalog: Annotated[Path | None, file(help="Catalog of psiz's stimuli: HDF5, stimuli.txt or CSV.")] = None,
    images: Annotated[
        Path | None,
        table(help="Name images as this table of images does, by id or file name, or by a file of names (see above)."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Format of SOURCE, see above; auto detects it from the content.",
        ),
    ] = "auto",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=HEADING",
            help="A column of your CSV with another heading: reference_1=left; may be given several times.",
        ),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ANSWER=HEADING",
            help="The column that an answer in your CSV stands for: 1=left; may be given several times.",
        ),
    ] = None,
    observers: Annotated[
        Observers | None, typer.Option(help="Who judged. The table and reports state it.", show_choices=True)
    ] = None,
) -> None:
    """Convert similarity judgments to a table of trials.

    SOURCE is in one of these formats (docs/formats.md tells more):

    \b
      csv                  your own judgments: see below
      psiz-2018, psiz-0.6  HDF5 of psiz, with --catalog
      psiz-npz             arrays of psiz 0.9 to 0.13, saved by numpy.savez, with --catalog
      psiz-json            JSON of psiz-datasets: a folder or zip with stimuli.txt
      nights, bapps        data.csv of NIGHTS, a folder of BAPPS
      meadows              annotations of Meadows: CSV or JSON
      things-raw           raw table of THINGS: image1, image2, image3, choice, ...
      levels               JSON lines of Levels: a file, or a folder with a file for each person
      hebart2023           CSV of Brain-Score: img1,img2,ooo
      alignet              .npz of AligNet
      cblearn              arrays of cblearn: query and response, or a sparse tensor
      most-central         CSV of the 60 cars: which of three is the most central one
      musicseer            text of musicseer
      triplets-odd-last    three columns, the odd one last: THINGS, SPoSE, VICE (text or .npy)
      triplets-odd-first   three columns, the odd one first
      triplets-near-far    three columns: query, nearer image, farther image

    The three columns of triplets have no header, so their order must be stated with --format; all
    other formats are detected. Numbers of images become ids from 0: "0" is the first image.

    A CSV has one of the headers

    \b
      query,reference_1,...,reference_N,selected_1,...,selected_K
      image_1,...,image_N,odd_one

    Cells are image ids; a selection may also be the heading of its column. --column names columns
    with other headings. --answer says what other answers mean: --answer 1=left --answer 2=right;
    --answer skip= is no answer. In place of selected_1 or odd_one, votes_1,...,votes_N hold how many
    people selected each image.

    The columns participant, session, weight, response_ms (or response_s), ranked (true or false,
    for K > 1) and count (of identical judgments) are optional; other columns are kept. A row with
    empty reference cells has fewer references. The id of a trial is its row in SOURCE, from 0.
    Catch trials (the query is among its references) and trials without an answer are dropped; a
    note tells how many.

    With a table of images, --images matches ids exactly, else by spelling. A file of names is a CSV
    or TSV with the columns id and name, or a list with one name a line: the id of a name is its
    row, from 0, as in THINGS' unique_id.txt. Every id must have a name.

    \b
    Example:
      simtool import-trials judgments.csv --images images.parquet --out trials.parquet
      simtool import-trials votes.csv --images images.parquet --column reference_1=left \\
          --column reference_2=right --column selected_1=response --out trials.parquet
      simtool import-trials obs.hdf5 --catalog catalog.hdf5 --images images.parquet --out trials.parquet
    """
    stages.import_trials(
        source,
        out,
        catalog=catalog,
        images=images,
        format=kind,
        observers=observers,
        columns=pairs("--column", column),
        answers=pairs("--answer", answer),
    )

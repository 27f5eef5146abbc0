"""``simtool import-embeddings``: from vectors that another program wrote to a table of embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import stages
from simtool.commands.options import file, table, word

__all__ = ["import_embeddings"]


def import_embeddings(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A file of vectors, or a folder that thingsvision wrote.")
    ],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table of embeddings to write.")],
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            "--names",
            metavar="FILE",
            help="Text file with one id in each line, in the order of the vectors. [the ids in SOURCE]",
        ),
    ] = None,
    images: Annotated[
        Path | None, table(help="Use the ids of this table of images; other spellings match too.")
    ] = None,
    dataset: Annotated[
        str | None, word(help="Array, dataset, variable or column of SOURCE to read. [the only one]")
    ] = None,
    module: Annotated[str | None, word(help="Module of a folder of thingsvision to read. [the only one]")] = None,
    transform: Annotated[Path | None, file(help="Apply this transform.npz of gLocal to the vectors.")] = None,
    name: Annotated[str | None, word(help="Label in reports. [the name of TABLE]")] = None,
) -> None:
    """Convert vectors that another program wrote to a table of embeddings.

    \b
    SOURCE                           ids
      folder of thingsvision         its file_names.txt
      CSV or TSV                     the first column; all columns are values with --ids
      Feather, Arrow, Parquet        the column image_id or name, or the only column of text
      .npz, HDF5                     the only array of texts, or --ids
      .mat                           the names of the variables, or --ids
      .npy, columns of numbers       --ids

    The first axis of an array counts the images. Vectors of several axes are flattened in C
    order. Values are stored as float32. Pickles (.pt, .pkl, arrays of objects) are refused.

    \b
    Example:
      simtool import-embeddings features/ --module fc --images images.parquet --out fc.parquet
      simtool import-embeddings embedding.npy --ids names.txt --out spose.parquet
    """
    stages.import_embeddings(
        source, out, ids=ids, images=images, dataset=dataset, module=module, transform=transform, name=name
    )

"""``simtool show``: the description of a table or of a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simtool import console, stages

__all__ = ["show"]


def show(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table (a file or a folder of parts) or a model folder.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Describe a table or a model folder, check it, and tell its provenance.

    Reads the whole file, so that a NaN or a damaged block is found. Tells for each input whether
    it has changed since.

    \b
    Example:
      simtool show study/pixels.parquet
    """
    shown = stages.show(file)
    if json:
        import json as format_of

        console.result_text(format_of.dumps(shown.to_json(), indent=2))
    else:
        console.result_facts(shown.title, shown.lines())

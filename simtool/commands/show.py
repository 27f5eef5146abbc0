"""``simtool show``: what a table or a model folder is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["show"]


def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="Any table or model folder.")]) -> None:
    """Say what a table or a model folder is, whether it is valid, and where it came from.

    \b
    Example:
      simtool show study/pixels.parquet
    """

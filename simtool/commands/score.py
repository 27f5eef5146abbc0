"""``simtool score``: from embeddings and judgments to outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console, stages
from simtool.commands.options import table, word
from simtool.stages.hashing import announce
from simtool.text import printable

if TYPE_CHECKING:
    from rich.table import Table

    from simtool.analysis.tally import Tally

__all__ = ["score", "summary"]


def score(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE", help="Tables of embeddings or of distances.")],
    trials: Annotated[Path, typer.Option(metavar="TRIALS", help="Table of trials.")],
    out: Annotated[Path, typer.Option(metavar="OUTCOMES", help="The Parquet table of outcomes to write.")],
    distance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="D",
            help="mse, cosine, mse/segments, cosine/segments, euclidean, manhattan, dot or correlation; "
            "may be given several times. [mse and cosine; of a table of combine: its own] "
            "A table of distances has one: given.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        word(help="Label of a model in reports; give one --name for each TABLE, in order. [the name in the table]"),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Memory to use, such as 2G; larger tables use TMPDIR. [half of the free memory]"
        ),
    ] = None,
    choice_model: Annotated[
        bool,
        typer.Option(
            "--choice-model", help="Fit how strongly distances decide choices; adds likelihoods and probabilities."
        ),
    ] = False,
    images: Annotated[
        Path | None,
        table(help="Copy the classes and groups of images from this table; or name the ids of TRIALS by this file."),
    ] = None,
) -> None:
    """Predict each judgment from the distances between its images.

    A model predicts that people select the reference nearest to the query. In odd-one-out trials,
    it predicts that people leave the nearest pair. Ties share the credit. mse/segments and
    cosine/segments average the distance over the segments of a vector: pixels (the study's cosine
    of pixels), or the scales of a flow. The result of each comparison is that of exact arithmetic.

    With --choice-model, the choice model predicts each trial by a temperature that was fitted to other trials.

    \b
    Example:
      simtool score pixels.parquet resnet.parquet --trials trials.parquet --out outcomes.parquet
      simtool score pixels.parquet --trials trials.parquet --distance cosine/segments --out out.parquet
    """
    announce([trials, *tables])
    scores = stages.score(
        tables,
        trials,
        out,
        distances=distance or (),
        names=name or (),
        images=images,
        memory=memory,
        choice_model=choice_model,
    )
    console.result(summary(scores.tallies))


def summary(tallies: Sequence[Tally]) -> Table:
    """The accuracies of models and distances, as a table for the terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for heading in ("distance", "trials"):
        table.add_column(heading, no_wrap=True)
    tied = any(one.ties for one in tallies)
    for heading in ("accuracy", "comparisons", *(["ties"] if tied else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for cells in _rows(tallies):
        table.add_row(*map(printable, cells if tied else cells[:-1]))  # before the widths are measured
    return table


def _rows(tallies: Sequence[Tally]) -> Iterator[tuple[str, ...]]:
    """A line for each tally; a cell that repeats the line above is empty."""
    before = ("", "")
    for one in tallies:
        model, distance = one.model, one.distance
        shown = ("" if model == before[0] else model, "" if (model, distance) == before else distance)
        yield *shown, one.trials, f"{one.accuracy:.4f}", f"{one.comparisons:,}", f"{one.ties:,}"
        before = (model, distance)

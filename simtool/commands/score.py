"""``simtool score``: embeddings and judgments become outcomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console
from simtool.commands.import_trials import tell_of_matches, tell_of_unused
from simtool.errors import SimtoolError, listed
from simtool.stages.run import TableFile, stage
from simtool.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from simtool.analysis.tally import Tally
    from simtool.tables.embeddings import EmbeddingTable

__all__ = ["score"]


def score(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE", help="Tables of embeddings.")],
    trials: Annotated[Path, typer.Option("--trials", metavar="TRIALS", help="A table of trials.")],
    out: Annotated[Path, typer.Option("--out", metavar="OUTCOMES", help="The Parquet table of outcomes to write.")],
    distance: Annotated[
        list[str] | None,
        typer.Option(
            "--distance",
            metavar="D",
            help="mse, cosine, mse/segments, cosine/segments, euclidean, manhattan, dot or correlation; "
            "may be given several times. [mse and cosine]",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="What to call the model of each TABLE, in their order."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="Memory that the command may take, such as 2G; larger tables go through TMPDIR. [half of the free]",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="IMAGES",
            help="Copy the classes and groups of the images of each trial from this table of images.",
        ),
    ] = None,
) -> None:
    """Say for each judgment what each model predicts from the distances between its embeddings.

    A model predicts that people select the reference nearest to the query. Ties have half credit.
    mse/segments and cosine/segments average the distance within each segment of a vector: pixels
    (the study's cosine of pixels), or the scales of a flow. Comparisons come out as
    exact arithmetic decides them.

    \b
    Example:
      simtool score pixels.parquet resnet.parquet --trials trials.parquet --out outcomes.parquet
      simtool score pixels.parquet --trials trials.parquet --distance cosine/segments --out out.parquet
    """
    from simtool.analysis.tally import below_chance, tally
    from simtool.ids import match_ids
    from simtool.judgments.classes import with_classes
    from simtool.scoring.distances import DISTANCES
    from simtool.scoring.pairs import ComparedPairs
    from simtool.scoring.scoring import DEFAULT_DISTANCES, score_table
    from simtool.tables.embeddings import open_embeddings
    from simtool.tables.outcomes import OutcomesWriter
    from simtool.tables.trials import read_trials

    distances = list(dict.fromkeys(distance or DEFAULT_DISTANCES))
    if unknown := [name for name in distances if name not in DISTANCES]:
        raise typer.BadParameter(f"no distance is called {listed(unknown)}; there are {', '.join(DISTANCES)}")

    names = _names(name or (), tables)
    allowed = None if memory is None else _bytes(memory)
    with stage("score", reads=[*tables, trials, images], writes=[TableFile(out)]) as run:
        judgments = read_trials(trials)
        run.read(trials, f"{counted(len(judgments), 'trials')}, {_types(judgments.types)}")
        tell_of_unused(trials, judgments.extra)
        opened = [open_embeddings(path) for path in tables]
        for path, table in zip(tables, opened, strict=True):
            run.read(path, f"{counted(len(table), 'vectors')} of {table.info.dimension:,} values")
        labels = names or _labels(opened)
        if images is not None:
            table_of_images = run.read_images(images)
            run.read(images, counted(len(table_of_images), "images"))
            judgments = with_classes(judgments, table_of_images, images)
            tell_of_matches(images, match_ids(judgments.images, table_of_images.image_id))
        pairs = ComparedPairs.of(judgments)
        for path, table in zip(tables, opened, strict=True):
            tell_of_matches(path, table.match(judgments.images[pairs.used]))

        tallies: list[Tally] = []
        with OutcomesWriter(out, run.provenance(), judgments) as writer:
            for label, table in zip(labels, opened, strict=True):
                with console.progress(f"scoring {label}", table.info.dimension, "columns") as bar:
                    for outcomes in score_table(table, pairs, distances, label, allowed, bar.advance):
                        writer.write(outcomes)
                        tallies.extend(tally(outcomes))
        rows = len(judgments) * len(labels) * len(distances)
        run.wrote(out, f"{counted(rows, 'rows')}: {listed(labels, 4)} by {listed(distances, len(DISTANCES))}")
    console.result(_summary(tallies))
    if odd := below_chance(tallies):
        console.warn(_doubt(odd))


def _types(types: Sequence[object]) -> str:
    return listed(sorted(str(kind) for kind in types), 5)


def _names(names: Sequence[str], tables: Sequence[Path]) -> Sequence[str]:
    """What the models shall be called: nothing where nothing was given.

    Raises:
        SimtoolError: a table is given twice.
        BadParameter: not one name for each table, or a name for several.
    """
    places = Counter(path.resolve() for path in tables)
    if twice := [path for path in dict.fromkeys(tables) if places[path.resolve()] > 1]:
        raise SimtoolError(f"{listed(twice)}: the same table is given more than once; give it once")
    if names and len(names) != len(tables):
        raise typer.BadParameter(f"{len(names)} times --name for {len(tables)} tables: each TABLE needs its own")
    for label, count in Counter(names).items():
        if count > 1 or not label.strip():
            raise typer.BadParameter(f"--name {label!r}: every model needs a name of its own")
    return names


def _bytes(memory: str) -> int:
    from simtool.system.amounts import AmountError, bytes_of

    try:
        return bytes_of(memory)
    except AmountError as failure:
        raise typer.BadParameter(f"--memory: {failure}") from failure


def _labels(tables: Sequence[EmbeddingTable]) -> list[str]:
    """What each model is called: the table's name, with the file's where several tables have the same.

    Raises:
        SimtoolError: two tables have the same name and the same file name.
    """
    names = Counter(table.info.name for table in tables)
    labels = [
        table.info.name if names[table.info.name] == 1 else f"{table.info.name} ({table.path.stem})" for table in tables
    ]
    for label, count in Counter(labels).items():
        if count > 1:
            files = [table.path for table, own in zip(tables, labels, strict=True) if own == label]
            raise SimtoolError(f"{listed(files)} would all be called {label}: give each TABLE a --name of its own")
    return labels


def _doubt(odd: Sequence[Tally]) -> str:
    """What models far below chance may mean."""
    first = odd[0]
    others = f" (and {len(odd) - 1:,} more)" if odd[1:] else ""
    return (
        f"{first.model} by {first.distance}{others} predicts {first.accuracy:.0%} of {first.comparisons:,} "
        "comparisons, far fewer than the half that guessing predicts: perhaps people selected the odd one out, "
        "or the image least like the query, and the trials should name the others as selected"
    )


def _summary(tallies: Sequence[Tally]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="ellipsis", no_wrap=True)
    for heading in ("distance", "trials"):
        table.add_column(heading)
    for heading in ("accuracy", "comparisons", "ties"):
        table.add_column(heading, justify="right")
    for cells in _rows(tallies):
        table.add_row(*map(printable, cells))  # before the widths are measured
    return table


def _rows(tallies: Sequence[Tally]) -> Iterator[tuple[str, ...]]:
    """A line for each tally; what the line above says already is left out."""
    before = ("", "")
    for one in tallies:
        model, distance = one.model, one.distance
        shown = ("" if model == before[0] else model, "" if (model, distance) == before else distance)
        yield *shown, one.trials, f"{one.accuracy:.4f}", f"{one.comparisons:,}", f"{one.ties:,}"
        before = (model, distance)

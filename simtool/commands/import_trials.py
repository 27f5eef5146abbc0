"""``simtool import-trials``: judgments in any known format become a table of trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console
from simtool.errors import listed
from simtool.judgments.formats import AUTO, format_names
from simtool.stages.run import Folder, TableFile, stage
from simtool.tables.observers import Observers
from simtool.text import counted, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy import object_
    from numpy.typing import NDArray

    from simtool.ids import Matches
    from simtool.judgments.assembly import Judgments
    from simtool.tables.images import Images

__all__ = ["import_trials", "tell_of_altered", "tell_of_judgments", "tell_of_matches"]


def _known_format(name: str) -> str:
    if name not in format_names():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(format_names())}")
    return name


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
            callback=_known_format,
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
    from simtool.judgments.assembly import in_images, summary
    from simtool.judgments.importing import import_judgments
    from simtool.tables.trials import write_trials

    with stage("import-trials", reads=[_place(source), catalog, images], writes=[TableFile(out)]) as run:
        imported = import_judgments(source, kind, catalog)
        judgments = imported.judgments
        run.read(source, f"{counted(judgments.total, 'trials')} ({imported.format})", imported.files)
        if catalog is not None and imported.catalog is not None:
            run.read(catalog, imported.catalog.extent)
        elif catalog is not None:
            console.warn(f"{catalog} is not used: a CSV names its images itself")
        tell_of_judgments(judgments)
        if images is not None:
            table = run.read_images(images)
            run.read(images, counted(len(table), "images"))
            judgments, matches = in_images(judgments, table.image_id, str(images))
            tell_of_matches(images, matches)
            tell_of_altered(table, images, judgments.trials.images)
        write_trials(out, replace(judgments.trials, observers=observers), run.provenance())
        run.wrote(out, summary(judgments.trials))


def _place(source: Path) -> Path | Folder:
    """The source as a place that is read: a folder holds documents of sequences, not the parts of a table."""
    return Folder(source) if source.is_dir() else source


def tell_of_judgments(judgments: Judgments) -> None:
    """Say what was left out of a source of judgments."""
    if judgments.catch:
        dropped = counted(judgments.catch, "catch trials")
        console.note(f"       dropped {dropped} (the query is among its references)")
    if judgments.unanswered:
        dropped = counted(judgments.unanswered, "trials")
        console.note(f"       dropped {dropped} without an answer (nothing is selected)")
    if judgments.anonymous:
        some = f"{judgments.anonymous:,} of {counted(len(judgments.trials), 'trials')}"
        console.warn(f"{some} {plural(judgments.anonymous, 'do', 'does')} not say who judged (participant)")
    if extra := judgments.trials.extra:
        _tell_of_others(list(extra))
    if judgments.unnamed:
        console.note(f"       left out columns without a name: {listed(judgments.unnamed, 9)}")
    if judgments.passed_over:
        kinds = listed((f"{kind} ({count:,})" for kind, count in judgments.passed_over.items()), 5)
        console.warn(f"passed over entries of kinds that are not ranked choices: {kinds}")


def _tell_of_others(names: list[str]) -> None:
    """Say which columns are kept without being used, and which of them may be misspelled."""
    from simtool.judgments.headings import nearest

    words = [f"{name} (did you mean {near}?)" if (near := nearest(name)) else name for name in names]
    say = console.warn if words != names else console.note
    say(f"{'' if words != names else '       '}columns kept, but not used: {listed(words, 12)}")


def tell_of_unused(trials: Path, names: Iterable[str]) -> None:
    """Warn of the columns of a table of trials that look as if they should be used."""
    from simtool.judgments.headings import nearest

    meant = {name: nearest(name.removeprefix("source_")) for name in names}
    words = [
        "count (a row is one judgment here; import-trials reads counts from a CSV)"
        if name == near
        else f"{name} (did you mean {near}?)"
        for name, near in meant.items()
        if near and (name != near or name == "count")
    ]
    if words:
        console.warn(f"{trials}: columns kept, but not used: {listed(words, 12)}")


def tell_of_matches(table: Path, matches: Matches) -> None:
    """Say which images match the ids of a table by folded spelling only."""
    if matches.note:
        console.note(f"       {table}: {matches.note}")


def tell_of_altered(images: Images, table: Path, mentioned: NDArray[object_]) -> None:
    """Warn where CUB's photographs stand in for those that people saw."""
    from simtool.collections.birds16 import altered

    if names := altered(images, table, mentioned):
        some = counted(len(names), "photographs")
        console.warn(f"people saw {some} cropped or saved again, not as {table} has them: {listed(names, 7)}")

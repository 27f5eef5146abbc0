"""``simtool fetch-judgments``: the birds-16 judgments and photographs become tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console
from simtool.commands.import_trials import tell_of_altered, tell_of_judgments, tell_of_matches
from simtool.errors import listed
from simtool.stages.run import Folder, Stage, stage
from simtool.text import counted

if TYPE_CHECKING:
    from numpy import object_
    from numpy.typing import NDArray

    from simtool.archive import Source
    from simtool.judgments.assembly import Judgments
    from simtool.stages.fetching import Copy
    from simtool.tables.images import Images
    from simtool.tables.trials import Trials

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
    from simtool.collections import birds16
    from simtool.judgments.assembly import summary
    from simtool.stages.fetching import inspect_copy
    from simtool.system.lock import alone_in
    from simtool.tables.images import write_images
    from simtool.tables.observers import Observers
    from simtool.tables.trials import write_trials

    table, trials_table = folder / "images.parquet", folder / "trials.parquet"
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file, not a folder", param_hint="FOLDER")
    with stage("fetch-judgments", reads=map(Folder, archive or ()), writes=[table, trials_table]) as run:
        copies = [inspect_copy(path) for path in archive or ()]
        with alone_in(folder, "fetch-judgments", tell=console.note):
            source = _from_mirrors(birds16.JUDGMENTS, url, sha256)
            judgments = _judgments(run, folder, copies, source, strict=bool(sha256))
            names = judgments.trials.images
            joined_in_place = images is not None and table.exists() and images.samefile(table)
            if not joined_in_place:
                birds16.require_replaceable(table, names)
            if images is None:
                _photographs(run, folder, names, copies, _from_mirrors(birds16.PHOTOGRAPHS, photographs_url))
                rows = birds16.index_placed(names, folder, table)
                trials = replace(judgments.trials, images=birds16.placed_ids(names))
            else:
                rows, trials = _joined(run, images, table, judgments)
            provenance = run.provenance()
            if joined_in_place:
                console.note(f"left   {table} as it is")
            else:
                write_images(table, rows, provenance)
                classes = counted(len(set(rows.class_name)), "classes", "class")
                run.wrote(table, f"{counted(len(rows), 'images')} of {classes}")
            write_trials(trials_table, replace(trials, observers=Observers.HUMAN), provenance)
            run.wrote(trials_table, summary(trials))


def _from_mirrors(source: Source, urls: list[str] | None, sha256: list[str] | None = None) -> Source:
    """A source with the addresses and checksums that were given instead of its own."""
    return replace(source, urls=tuple(urls or source.urls), sha256=tuple(sha256 or source.sha256))


def _one(copies: list[Copy], what: str) -> Copy | None:
    """The copy that holds the judgments, or the photographs."""
    holding = [copy for copy in copies if getattr(copy, what)]
    if len(holding) > 1:
        both = listed(copy.path for copy in holding)
        raise typer.BadParameter(f"{what} are in {both}: give one of them", param_hint="--archive")
    return holding[0] if holding else None


def _judgments(run: Stage, folder: Path, copies: list[Copy], source: Source, strict: bool) -> Judgments:
    """Read the judgments of a local copy, else of a download."""
    from simtool.judgments.importing import import_judgments

    copy = _one(copies, "judgments")
    if copy is None or copy.judgments is None:
        place, catalog = _download(source, folder), None
    else:
        place, catalog = copy.judgments
        _check_copy(place, source, strict)
    imported = import_judgments(place, catalog=catalog)
    judgments = imported.judgments
    run.read(place, f"{counted(judgments.total, 'trials')} ({imported.format})", imported.files)
    if imported.catalog is not None and place.is_file() and Path(imported.catalog.name).is_file():
        run.read(Path(imported.catalog.name), imported.catalog.extent)
    tell_of_judgments(judgments)
    return judgments


def _download(source: Source, folder: Path) -> Path:
    from simtool.archive import ArchiveError, fetch

    try:
        return fetch(source, folder)
    except ArchiveError as failure:
        raise ArchiveError(f"{failure}; a copy from elsewhere can be given with --archive") from failure


def _check_copy(place: Path, source: Source, strict: bool) -> None:
    """A zip should be the published one; it must where a checksum was asked for."""
    from simtool.archive import ArchiveError, verify

    if place.is_dir() or place.suffix.lower() != ".zip":
        return
    try:
        verify(place, source.sha256)
    except ArchiveError:
        if strict:
            raise
        console.warn(f"{place} is not the zip that is published now; read all the same")


def _photographs(run: Stage, folder: Path, names: NDArray[object_], copies: list[Copy], source: Source) -> None:
    """Put the photographs of a local copy, else of a download, into the folder, unless they are there."""
    from simtool.collections import birds16
    from simtool.errors import SimtoolError

    copy = _one(copies, "photographs")
    if copy is None and birds16.are_placed(names, folder):
        return
    place = _download(source, folder) if copy is None else copy.path
    try:
        birds16.place_photographs(place, names, folder)
    except SimtoolError:
        if copy is None:
            # Nothing but its content tells a good download from a bad one, so that a bad one must not stay.
            place.unlink()
        raise
    run.read(place, counted(len(names), "photographs"), files=() if place.is_dir() else None)


def _joined(run: Stage, images: Path, table: Path, judgments: Judgments) -> tuple[Images, Trials]:
    """The judgments with their images as another table calls them, and its rows of these images."""
    from simtool.collections.birds16 import subset
    from simtool.judgments.assembly import in_images
    from simtool.tables.images import read_images

    everything = read_images(images)
    run.read(images, counted(len(everything), "images"))
    joined, matches = in_images(judgments, everything.image_id, str(images))
    trials = joined.trials
    tell_of_matches(images, matches)
    tell_of_altered(everything, images, trials.images)
    return subset(everything, images, table, judgments.trials.images, trials.images), trials

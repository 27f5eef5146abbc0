"""Fetch the judgments of a published study, and their images where they can be downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from numpy import object_
from numpy.typing import NDArray

from simtool import console
from simtool.archive import Source
from simtool.collections import birds16
from simtool.collections.studies import Study, studies, subset
from simtool.errors import SimtoolError, UsageError
from simtool.judgments.assembly import Judgments, summary
from simtool.judgments.formats import AUTO
from simtool.stages.copies import Copy, holding, inspect_copy
from simtool.stages.downloads import checksum_of, downloaded, folder_of, source_of
from simtool.stages.remarks import named, named_as_in, names_file, read_judgments
from simtool.stages.run import Folder, Run, api, chosen, in_memory, path_of, stage
from simtool.system.lock import alone_in
from simtool.tables.images import Images, read_images, write_images
from simtool.tables.observers import Observers
from simtool.tables.trials import Trials, write_trials
from simtool.text import counted

__all__ = ["fetch_judgments"]


@api
def fetch_judgments(
    folder: str | Path,
    *,
    study: str = "birds-16",
    archives: Sequence[str | Path] = (),
    images: str | Path | None = None,
    urls: Sequence[str] = (),
    photographs_urls: Sequence[str] = (),
    sha256: Sequence[str] = (),
) -> tuple[Trials, Images | None]:
    """Get the judgments of a published study, for example birds-16 (Roads & Mozer 2019) with its photographs.

    Writes ``folder/trials.parquet``. Where images can be downloaded (birds-16) or are given, also writes
    ``folder/images.parquet``; downloaded photographs are below ``folder/images``. In birds-16 a class is a species,
    a group a family.

    Args:
        folder: where tables and photographs go; made if missing.
        study: a name in the registry, :func:`simtool.collections.studies.studies`.
        archives: local copies instead of a download: a file, zip or folder of the judgments, of the names of images,
            of the photographs or of several of these.
        images: a table of images, for example CUB's, to join the judgments to by file name. Or a file of names, as
            for :func:`import_trials`. No photographs are then fetched.
        urls: mirrors of the file of the judgments.
        photographs_urls: mirrors of the zip of the photographs.
        sha256: the checksums that the file of the judgments may have, instead of the known one.

    Returns:
        The trials, and the table of their images; None without images. Its paths start from the current folder.

    Raises:
        UsageError: ``folder`` is a file, ``study`` is not in the registry, or two archives hold the same.
        SimtoolError: the download fails, a checksum differs, or ``images`` lacks an image.

    Example:
        >>> from simtool import stages
        >>> trials, images = stages.fetch_judgments("birds16", images="cub/images.parquet")  # doctest: +SKIP
    """
    folder, images = folder_of(folder), path_of(images)
    entry = studies()[chosen(studies(), "--study", study)]
    if photographs_urls and entry.photographs is None:
        raise UsageError(f"--photographs-url: the images of {study} cannot be downloaded; give them with --images")
    table, trials_table = folder / "images.parquet", folder / "trials.parquet"
    paths = [Path(archive) for archive in archives]
    source = source_of(entry.judgments, urls, sha256)
    with stage("fetch-judgments", reads=map(Folder, paths), writes=[table, trials_table]) as run:
        copies = [inspect_copy(path, entry) for path in paths]
        names = names_file(images)
        with alone_in(folder, "fetch-judgments", tell=console.note):
            judgments = _judgments(run, folder, copies, source, entry, strict=bool(sha256))
            if names is None and entry.names is not None:
                judgments = replace(judgments, trials=_named(run, folder, copies, entry.names, judgments.trials))
            if names is not None:
                trials, rows = named(run, names, judgments.trials), None
            elif images is not None:
                trials, rows = _joined(run, images, table, judgments)
            elif entry.photographs is not None:
                photographs = source_of(entry.photographs, photographs_urls)
                trials, rows = _placed(run, folder, table, judgments.trials, copies, photographs)
            else:
                trials, rows = judgments.trials, None
            trials = replace(trials, observers=Observers.HUMAN)
            if rows is not None:
                _write_images(run, table, rows, joined_to=images)
            write_trials(trials_table, trials, run.provenance())
            run.wrote(trials_table, summary(trials))
            console.note(f"judgments of {study}: licence {entry.licence or 'not known'}; cite {entry.citation}")
            if rows is None:
                console.note(f"images of {study}: {entry.images_from}")
    return trials, None if rows is None else in_memory(rows, table)


def _judgments(run: Run, folder: Path, copies: Sequence[Copy], source: Source, study: Study, strict: bool) -> Judgments:
    """Read the judgments of a local copy, else of a download."""
    copy = holding(copies, "judgments")
    if copy is None or copy.judgments is None:
        return read_judgments(run, downloaded(source, folder), None, study.format)
    place, catalog = copy.judgments
    whole = place.is_file() and catalog is None
    if whole and source.sha256 and checksum_of(place, source, strict) not in source.sha256:
        console.warn(f"{place} is not the file that is published now; it is used as it is")
    # A catalog belongs to psiz's HDF5, of which there are two formats.
    return read_judgments(run, place, catalog, study.format if catalog is None else AUTO)


def _named(run: Run, folder: Path, copies: Sequence[Copy], source: Source, trials: Trials) -> Trials:
    """The trials with the names of the study, from a local copy, else from a download."""
    copy = holding(copies, "names")
    return named(run, downloaded(source, folder) if copy is None or copy.names is None else copy.names, trials)


def _placed(
    run: Run, folder: Path, table: Path, trials: Trials, copies: Sequence[Copy], source: Source
) -> tuple[Trials, Images]:
    """The trials of birds-16 with the ids of its photographs, which are put into the folder, and the rows of these."""
    names = trials.images
    birds16.require_replaceable(table, names)
    _place_photographs(run, folder, names, copies, source)
    return replace(trials, images=birds16.placed_ids(names)), birds16.index_placed(names, folder, table)


def _place_photographs(run: Run, folder: Path, names: NDArray[object_], copies: Sequence[Copy], source: Source) -> None:
    """Put the photographs of a local copy, else of a download, into the folder, unless they are there."""
    copy = holding(copies, "photographs")
    if copy is None and birds16.are_placed(names, folder):
        return
    place = downloaded(source, folder) if copy is None else copy.path
    try:
        birds16.place_photographs(place, names, folder)
    except SimtoolError:
        if copy is None:
            # Only its content tells a good download from a bad one, so a bad one must not stay.
            place.unlink()
        raise
    run.read(place, counted(len(names), "photographs"), files=() if place.is_dir() else None)


def _joined(run: Run, images: Path, table: Path, judgments: Judgments) -> tuple[Trials, Images]:
    """The trials with their images named as another table names them, and its rows of these images."""
    everything = run.load(images, read_images, lambda found: counted(len(found), "images"))
    trials = named_as_in(everything, images, judgments).trials
    rows = subset(everything, images, table, judgments.trials.images, trials.images)
    if not _is_in_place(images, table):
        birds16.require_replaceable(table, rows.image_id)
    return trials, rows


def _write_images(run: Run, table: Path, rows: Images, joined_to: Path | None) -> None:
    """Write the table of images, unless the judgments were joined to this very table."""
    if joined_to is not None and _is_in_place(joined_to, table):
        console.note(f"left   {table} as it is")
        return
    write_images(table, rows, run.provenance())
    classes = len({*rows.class_name} - {None})
    run.wrote(table, counted(len(rows), "images") + (f" of {counted(classes, 'classes', 'class')}" if classes else ""))


def _is_in_place(images: Path, table: Path) -> bool:
    return table.exists() and images.samefile(table)

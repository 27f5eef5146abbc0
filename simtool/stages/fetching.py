"""Fetch the data sets of the study: CUB-200-2011, and the birds-16 judgments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from numpy import object_
from numpy.typing import NDArray

from simtool import console
from simtool.archive import ArchiveError, Source, arrived, fetch
from simtool.collections import birds16, cub
from simtool.errors import SimtoolError, UsageError, listed
from simtool.judgments.assembly import Judgments, summary
from simtool.judgments.psiz.documents import judgments_in
from simtool.stages.remarks import named_as_in, read_judgments
from simtool.stages.run import Folder, Run, api, in_memory, path_of, stage
from simtool.system.lock import alone_in
from simtool.system.space import require_space
from simtool.tables.files import TableError
from simtool.tables.images import Images, read_images, write_images
from simtool.tables.observers import Observers
from simtool.tables.provenance import sha256_of
from simtool.tables.trials import Trials, write_trials
from simtool.text import counted

__all__ = ["Copy", "fetch_cub", "fetch_judgments", "inspect_copy"]


@dataclass(frozen=True)
class Copy:
    """A local copy of birds-16: an archive or a folder. See ``judgments_in`` for ``judgments``."""

    path: Path
    judgments: tuple[Path, Path | None] | None
    photographs: bool


def inspect_copy(path: Path) -> Copy:
    """Find out what a local copy holds, by its content. A folder may hold psiz's HDF5 with a catalog instead of JSON.

    Raises:
        Birds16Error: it holds no judgments and no photographs.
        JudgmentsError: the zip is damaged.
        OSError: it cannot be read.
    """
    copy = Copy(path, photographs=birds16.holds_photographs(path), judgments=judgments_in(path))
    if copy.judgments is None and not copy.photographs:
        raise birds16.Birds16Error(
            f"{path}: no judgments (stimuli.txt and *_seqs/*.json, or psiz's HDF5 and its catalog) and no photographs"
        )
    return copy


@api
def fetch_cub(
    folder: str | Path,
    *,
    archive: str | Path | None = None,
    urls: Sequence[str] = (),
    sha256: str | None = None,
    keep_archive: bool = False,
) -> Images:
    """Get the photographs of CUB-200-2011, and list them in ``folder/images.parquet``.

    An interrupted download resumes. Where the photographs are there already, only missing and damaged ones are
    replaced. Where ``folder`` is the unpacked data set itself, it is listed as it is.

    Args:
        folder: where to put the photographs; made if missing.
        archive: a copy of the archive, or a folder of an unpacked one, to use instead of a download.
        urls: mirrors to download from.
        sha256: the checksum that the archive must have, instead of the official one.
        keep_archive: keep the downloaded archive (1.15 GB).

    Returns:
        The table of images: class, split, bounding box, size. Its paths start from the current folder.

    Raises:
        UsageError: arguments exclude each other, or have an invalid value.
        SimtoolError: the download fails, a checksum differs, or the disk is full.

    Example:
        >>> from simtool import stages
        >>> len(stages.fetch_cub("cub"))  # doctest: +SKIP
        11788
    """
    folder, archive = _folder(folder), path_of(archive)
    if archive is not None and urls:
        raise UsageError("--archive is unpacked and --url is downloaded: give one of them")
    if archive is not None and archive.is_dir():
        _check_apart(archive, folder, sha256)
    source = _source(cub.ARCHIVE, urls, [] if sha256 is None else [sha256])
    table = folder / "images.parquet"
    copy = Folder(archive) if archive is not None and archive.is_dir() else archive
    with stage("fetch-cub", reads=[copy], writes=[table]) as run:
        if archive is None:
            accepted = source.sha256
        else:
            accepted = () if archive.is_dir() else (_checked(archive, source, strict=sha256 is not None),)
        with alone_in(folder, "fetch-cub", tell=console.note):
            root = cub.root_in(folder)
            images = None if root is None else _in_place(folder, root)
            damaged = [] if images is None else cub.broken(images)
            if root is not None and images is not None:
                if damaged or archive or sha256:
                    if isinstance(copy, Folder):
                        cub.require_same_copy(copy.path, root)
                    else:
                        cub.require_origin(table, accepted)
                if not damaged:
                    run.read(root, _photographs_of(images), cub.text_files(root))
                    _list_unless_listed(run, table, images)
                    return in_memory(images, table)
            if root == folder and archive is None:
                raise cub.CubError(
                    f"{folder} is an unpacked copy of CUB, and photographs are missing or damaged in it: "
                    f"{listed(damaged)}; take them from a copy with --archive, or name another folder"
                )
            if accepted != source.sha256:
                console.warn(f"{archive} is not the official archive; it is used as it is (--sha256 checks it)")
            kept = archive or keep_archive or (folder / source.name).exists()
            place = archive or _downloaded_cub(folder, source, whole=images is None)
            if root is not None and images is not None:
                images = cub.repair_cub(place, folder, root, damaged)
            else:
                images, root = cub.unpack_cub(place, folder), folder / cub.ROOT
            texts = cub.text_files(root)
            run.read(place, _photographs_of(images), texts if place.is_dir() else [place, *texts])
            _list(run, table, images)
            if not kept:
                place.unlink()
                console.note(f"deleted {place} (--keep-archive keeps it)")
    return in_memory(images, table)


@api
def fetch_judgments(
    folder: str | Path,
    *,
    archives: Sequence[str | Path] = (),
    images: str | Path | None = None,
    urls: Sequence[str] = (),
    photographs_urls: Sequence[str] = (),
    sha256: Sequence[str] = (),
) -> tuple[Trials, Images]:
    """Get the birds-16 judgments and their photographs (Roads & Mozer 2019).

    Writes ``folder/trials.parquet``, ``folder/images.parquet`` and the photographs below ``folder/images``. A class is
    a species, a group a family.

    Args:
        folder: where tables and photographs go; made if missing.
        archives: local copies instead of a download: a zip or folder of the judgments, the photographs or both.
        images: a table of images, for example CUB's, to join the judgments to by file name. No photographs are then
            fetched.
        urls: mirrors of the zip of the judgments.
        photographs_urls: mirrors of the zip of the photographs.
        sha256: the checksums that the zip of the judgments may have, instead of the official one.

    Returns:
        The trials, and the table of their images. Its paths start from the current folder.

    Raises:
        UsageError: ``folder`` is a file, or two archives hold the same.
        SimtoolError: the download fails, a checksum differs, or ``images`` lacks an image.

    Example:
        >>> from simtool import stages
        >>> trials, images = stages.fetch_judgments("birds16", images="cub/images.parquet")  # doctest: +SKIP
    """
    folder, images = _folder(folder), path_of(images)
    table, trials_table = folder / "images.parquet", folder / "trials.parquet"
    paths = [Path(archive) for archive in archives]
    source = _source(birds16.JUDGMENTS, urls, sha256)
    photographs = _source(birds16.PHOTOGRAPHS, photographs_urls)
    with stage("fetch-judgments", reads=map(Folder, paths), writes=[table, trials_table]) as run:
        copies = [inspect_copy(path) for path in paths]
        with alone_in(folder, "fetch-judgments", tell=console.note):
            judgments = _judgments(run, folder, copies, source, strict=bool(sha256))
            names = judgments.trials.images
            joined_in_place = images is not None and table.exists() and images.samefile(table)
            if not joined_in_place:
                birds16.require_replaceable(table, names)
            if images is None:
                _place_photographs(run, folder, names, copies, photographs)
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
            trials = replace(trials, observers=Observers.HUMAN)
            write_trials(trials_table, trials, provenance)
            run.wrote(trials_table, summary(trials))
    return trials, in_memory(rows, table)


def _folder(folder: str | Path) -> Path:
    """The folder to fetch to; a file is refused."""
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise UsageError(f"FOLDER: {path} is a file, not a folder")
    return path


def _source(official: Source, urls: Sequence[str], sha256: Sequence[str] = ()) -> Source:
    """The official source, with other addresses or checksums where they are given."""
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise UsageError(f"--url: {url} is not an http or https address")
    for checksum in sha256:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", checksum):
            raise UsageError(f"--sha256: a SHA-256 checksum has 64 hexadecimal digits, not {checksum}")
    source = replace(official, urls=tuple(urls or official.urls))
    return replace(source, size=None, sha256=tuple(map(str.lower, sha256))) if sha256 else source


def _download(source: Source, folder: Path) -> Path:
    try:
        return fetch(source, folder)
    except ArchiveError as failure:
        raise ArchiveError(f"{failure}; on a machine without network give a copy with --archive") from failure


def _checked(archive: Path, source: Source, strict: bool) -> str:
    """The checksum of a local copy; a damaged copy is refused, and with ``strict`` any file without the checksum."""
    found = sha256_of(archive)
    if found not in source.sha256 and (strict or archive.stat().st_size == source.size):
        raise ArchiveError(f"{archive}: wrong checksum: expected SHA-256 {listed(source.sha256)}, got {found}")
    return found


def _check_apart(archive: Path, folder: Path, sha256: str | None) -> None:
    """Refuse to copy a folder into itself, and to check it by a checksum."""
    if sha256:
        raise UsageError(f"{archive} is a folder, which has no checksum: leave --sha256 out")
    if folder.resolve() == archive.resolve():
        raise UsageError(f"{folder} is the copy itself: leave --archive out to list it")
    if archive.resolve() in folder.resolve().parents:
        raise UsageError(f"{folder} lies in {archive}, which is to be copied: choose another folder")


def _in_place(folder: Path, root: Path) -> Images | None:
    """The photographs that are there, damaged ones included; None where everything must be unpacked."""
    try:
        images = cub.read_cub(folder, root)
    except cub.CubError as failure:
        if root == folder:
            raise
        console.warn(f"{failure}; everything will be unpacked again")
        return None
    if damaged := cub.broken(images):
        console.warn(f"photographs that are missing or damaged will be unpacked again: {listed(damaged)}")
    return images


def _downloaded_cub(folder: Path, source: Source, whole: bool) -> Path:
    """The archive in the folder. There must be room for it and, if the whole archive is unpacked, for its files."""
    if source.size is not None and whole:
        # Photographs hardly compress: unpacked they need as much again.
        require_space(folder, 2 * source.size - arrived(source, folder), f"{source.name} with its photographs")
    return _download(source, folder)


def _list_unless_listed(run: Run, table: Path, images: Images) -> None:
    with suppress(TableError):
        if cub.equal(read_images(table), images):
            console.note(f"{table} is up to date")
            return
    _list(run, table, images)


def _list(run: Run, table: Path, images: Images) -> None:
    write_images(table, images, run.provenance())
    splits = ", ".join(f"{sum(images.split == split):,} {split}" for split in ("train", "test"))
    classes = counted(len(set(images.class_id)), "classes", "class")
    run.wrote(table, f"{counted(len(images), 'images')} of {classes}: {splits}")


def _photographs_of(images: Images) -> str:
    found = counted(len(images), "photographs")
    return found if len(images) == cub.COUNT else f"{found} (the official archive has {cub.COUNT:,})"


def _holding(copies: Sequence[Copy], content: str) -> Copy | None:
    """The copy that holds the ``judgments``, or the ``photographs``; None where no copy does. Two are refused."""
    holding = [copy for copy in copies if getattr(copy, content)]
    if len(holding) > 1:
        both = listed(copy.path for copy in holding)
        raise UsageError(f"--archive: {content} are in {both}: give one of them")
    return holding[0] if holding else None


def _judgments(run: Run, folder: Path, copies: Sequence[Copy], source: Source, strict: bool) -> Judgments:
    """Read the judgments of a local copy, else of a download."""
    copy = _holding(copies, "judgments")
    if copy is None or copy.judgments is None:
        place, catalog = _download(source, folder), None
    else:
        place, catalog = copy.judgments
        if place.is_file() and place.suffix.lower() == ".zip" and _checked(place, source, strict) not in source.sha256:
            console.warn(f"{place} is not the zip that is published now; it is used as it is")
    return read_judgments(run, place, catalog)


def _place_photographs(run: Run, folder: Path, names: NDArray[object_], copies: Sequence[Copy], source: Source) -> None:
    """Put the photographs of a local copy, else of a download, into the folder, unless they are there."""
    copy = _holding(copies, "photographs")
    if copy is None and birds16.are_placed(names, folder):
        return
    place = _download(source, folder) if copy is None else copy.path
    try:
        birds16.place_photographs(place, names, folder)
    except SimtoolError:
        if copy is None:
            # Only its content tells a good download from a bad one, so a bad one must not stay.
            place.unlink()
        raise
    run.read(place, counted(len(names), "photographs"), files=() if place.is_dir() else None)


def _joined(run: Run, images: Path, table: Path, judgments: Judgments) -> tuple[Images, Trials]:
    """The judgments with their images named as another table names them, and its rows of these images."""
    everything = run.load(images, read_images, lambda found: counted(len(found), "images"))
    trials = named_as_in(everything, images, judgments).trials
    return birds16.subset(everything, images, table, judgments.trials.images, trials.images), trials

"""Fetch CUB-200-2011."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from simtool import console
from simtool.archive import Source, arrived
from simtool.collections import cub
from simtool.errors import UsageError, listed
from simtool.stages.downloads import checksum_of, downloaded, folder_of, source_of
from simtool.stages.run import Folder, Run, api, in_memory, path_of, stage
from simtool.system.lock import alone_in
from simtool.system.space import require_space
from simtool.tables.files import TableError
from simtool.tables.images import Images, read_images, write_images
from simtool.text import counted

__all__ = ["fetch_cub"]


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
    folder, archive = folder_of(folder), path_of(archive)
    if archive is not None and urls:
        raise UsageError("--archive is unpacked and --url is downloaded: give one of them")
    if archive is not None and archive.is_dir():
        _check_apart(archive, folder, sha256)
    source = source_of(cub.ARCHIVE, urls, [] if sha256 is None else [sha256])
    table = folder / "images.parquet"
    copy = Folder(archive) if archive is not None and archive.is_dir() else archive
    with stage("fetch-cub", reads=[copy], writes=[table]) as run:
        if archive is None:
            accepted = source.sha256
        else:
            accepted = () if archive.is_dir() else (checksum_of(archive, source, strict=sha256 is not None),)
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
    return downloaded(source, folder)


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

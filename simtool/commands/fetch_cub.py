"""``simtool fetch-cub``: the photographs of CUB-200-2011 become a table of images."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console
from simtool.errors import SimtoolError, listed
from simtool.stages.run import Folder, Stage, stage
from simtool.text import counted

if TYPE_CHECKING:
    from simtool.archive import Source
    from simtool.tables.images import Images

__all__ = ["fetch_cub"]


def _checksum(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise typer.BadParameter("a SHA-256 checksum has 64 hexadecimal digits")
    return text.lower()


def _address(text: str) -> str:
    if not re.match(r"https?://[^/]", text):
        raise typer.BadParameter(f"{text} is not an http or https address")
    return text


def fetch_cub(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put the photographs; made if missing.")],
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="COPY",
            help="Unpack this copy of the archive, or copy this folder of an unpacked one; nothing is downloaded.",
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(
            "--url", metavar="URL", parser=_address, help="Download from here instead; repeat it for more mirrors."
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            "--sha256", metavar="HEX", parser=_checksum, help="The archive must have this checksum, not the official."
        ),
    ] = None,
    keep_archive: Annotated[
        bool, typer.Option("--keep-archive", help="Keep the downloaded archive (1.15 GB) after unpacking it.")
    ] = False,
) -> None:
    """Get the 11,788 photographs of birds of CUB-200-2011 and list them in a table of images.

    Downloads Caltech's archive (1.15 GB; an interrupted download goes on with the next run),
    checks it, unpacks it to FOLDER/CUB_200_2011 and writes FOLDER/images.parquet: class (CUB's
    number and name), split, bounding box, size. Run again, it replaces what is missing or
    damaged; where all is in place, it does nothing. Where FOLDER is the unpacked data set
    itself, it is listed as it is, and nothing is downloaded.

    \b
    Example:
      simtool fetch-cub cub
      simtool fetch-cub cub --archive CUB_200_2011.tgz      on a machine without network
    """
    from simtool.collections.cub import ARCHIVE, ROOT, broken, repair_cub, root_in, text_files, unpack_cub
    from simtool.system.lock import alone_in

    if archive is not None and url:
        raise typer.BadParameter("--archive is unpacked and --url is downloaded: give one of them")
    if archive is not None and archive.is_dir():
        _check_apart(archive, folder, sha256)
    source = replace(ARCHIVE, urls=tuple(url)) if url else ARCHIVE
    if sha256:
        source = replace(source, size=None, sha256=(sha256,))
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file, not a folder", param_hint="FOLDER")
    table = folder / "images.parquet"
    copy = Folder(archive) if archive is not None and archive.is_dir() else archive
    with stage("fetch-cub", reads=[copy], writes=[table]) as run:
        accepted = _accepted(archive, source, strict=sha256 is not None)
        with alone_in(folder, "fetch-cub", tell=console.note):
            root = root_in(folder)
            images = None if root is None else _in_place(folder, root)
            damaged = [] if images is None else broken(images)
            if root is not None and images is not None and (damaged or archive or sha256):
                _check_origin(table, root, archive, accepted)
            if root is not None and images is not None and not damaged:
                run.read(root, _count(images), text_files(root))
                _write_unless_there(run, table, images)
                return
            if root == folder and archive is None:
                raise _not_whole(folder, damaged)
            fleeting = not (archive or keep_archive or (folder / source.name).exists())
            if accepted != source.sha256:
                console.warn(f"{archive} is not the official archive; it is taken as it is (--sha256 checks it)")
            place = archive or _downloaded(folder, source, whole=images is None)
            if root is not None and images is not None:
                images = repair_cub(place, folder, root, damaged)
            else:
                images = unpack_cub(place, folder)
                root = None
            texts = text_files(root or folder / ROOT)
            run.read(place, _count(images), texts if place.is_dir() else [place, *texts])
            _write(run, table, images)
            if fleeting:
                place.unlink()
                console.note(f"deleted {place} (--keep-archive keeps it)")


def _check_apart(archive: Path, folder: Path, sha256: str | None) -> None:
    """Refuse to copy a folder into itself, and to check it by a checksum."""
    if sha256:
        raise typer.BadParameter(f"{archive} is a folder, which has no checksum: leave --sha256 out")
    if folder.resolve() == archive.resolve():
        raise typer.BadParameter(f"{folder} is the copy itself: leave --archive out, and it is listed as it is")
    if archive.resolve() in folder.resolve().parents:
        raise typer.BadParameter(f"{folder} lies in {archive}, which is to be copied: choose another folder")


def _accepted(archive: Path | None, source: Source, strict: bool) -> tuple[str, ...]:
    """The checksums that the archive may have; none where it is a folder."""
    if archive is None:
        return source.sha256
    return () if archive.is_dir() else (_checked(archive, source, strict),)


def _check_origin(table: Path, root: Path, archive: Path | None, accepted: tuple[str, ...]) -> None:
    from simtool.collections.cub import require_origin, require_same_copy

    if archive is not None and archive.is_dir():
        require_same_copy(archive, root)
    else:
        require_origin(table, accepted)


def _not_whole(folder: Path, damaged: list[str]) -> SimtoolError:
    """Why a folder that is the unpacked data set itself cannot be listed as it is."""
    from simtool.collections.cub import CubError

    return CubError(
        f"{folder} is an unpacked copy of CUB, and photographs are missing or damaged in it: {listed(damaged)}; "
        "take them from a copy with --archive, or name another folder"
    )


def _checked(archive: Path, source: Source, strict: bool) -> str:
    """The checksum of a local copy, which may be another archive than the official one but no damaged copy of it."""
    from simtool.archive import ArchiveError
    from simtool.tables.provenance import sha256_of

    found = sha256_of(archive)
    if found not in source.sha256 and (strict or archive.stat().st_size == source.size):
        raise ArchiveError(f"{archive}: wrong checksum: expected SHA-256 {source.sha256[0]}, got {found}")
    return found


def _in_place(folder: Path, root: Path) -> Images | None:
    """The photographs that are there, some of them damaged perhaps; None where everything has to be unpacked."""
    from simtool.collections.cub import CubError, broken, read_cub

    try:
        images = read_cub(folder, root)
    except CubError as failure:
        if root == folder:
            raise
        console.warn(f"{failure}; everything will be unpacked again")
        return None
    if damaged := broken(images):
        console.warn(f"photographs missing or damaged, to be unpacked again: {listed(damaged)}")
    return images


def _downloaded(folder: Path, source: Source, whole: bool) -> Path:
    """The archive in the folder, where there is room for it and, if it is to be unpacked as a whole, for its files."""
    from simtool.archive import DownloadError, arrived, fetch
    from simtool.system.space import require_space

    if source.size is not None and whole:
        # Photographs hardly compress: unpacked they need as much again.
        require_space(folder, 2 * source.size - arrived(source, folder), f"{source.name} with its photographs")
    try:
        return fetch(source, folder)
    except DownloadError as failure:
        raise DownloadError(f"{failure}; on a machine without network give a copy with --archive") from failure


def _write_unless_there(run: Stage, table: Path, images: Images) -> None:
    from simtool.collections.cub import equal
    from simtool.tables.files import TableError
    from simtool.tables.images import read_images

    with suppress(TableError):
        if equal(read_images(table), images):
            console.note(f"{table} lists them: all is in place")
            return
    _write(run, table, images)


def _write(run: Stage, table: Path, images: Images) -> None:
    from simtool.tables.images import write_images

    write_images(table, images, run.provenance())
    splits = ", ".join(f"{sum(images.split == split):,} {split}" for split in ("train", "test"))
    classes = counted(len(set(images.class_id)), "classes", "class")
    run.wrote(table, f"{counted(len(images), 'images')} of {classes}: {splits}")


def _count(images: Images) -> str:
    from simtool.collections.cub import COUNT

    found = counted(len(images), "photographs")
    return found if len(images) == COUNT else f"{found} (the official archive has {COUNT:,})"

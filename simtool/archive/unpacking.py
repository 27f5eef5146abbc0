"""Unpack all files of an archive into a folder, or none, and never outside the folder.

Names, kinds and sizes in an archive are not trusted. Only files and folders are created, with the user's default
permissions. A member of another kind, or a name that leaves the folder, refuses the whole archive.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from simtool import console
from simtool.archive.members import Member, open_archive, unpacked_size
from simtool.archive.source import ArchiveError
from simtool.system.space import require_space, running_out_of_space
from simtool.text import printable, scaled

__all__ = ["unpack"]

#: Limits against zip bombs: entries of any kind, and unpacked bytes of all files.
MOST_MEMBERS, MOST_BYTES = 200_000, 16 << 30
_STAGING = ".unpacking"
#: Maps the path of a file to its path in the destination; None skips the file.
_Keep = Callable[[PurePosixPath], PurePosixPath | None]


def unpack(
    archive: Path,
    folder: Path,
    *,
    keep: _Keep | None = None,
    arrange: Callable[[Path], Path] | None = None,
    needed: int | None = None,
) -> list[Path]:
    """Unpack a tar, gzipped tar or zip archive, or copy a folder like an archive.

    The files are written to a hidden folder first, and moved when all of them are complete. The caller keeps other
    processes out of the folder. Existing files of the same names are replaced; other files stay. Metadata of macOS
    (``._NAME``, ``__MACOSX``) is skipped.

    Args:
        archive: the archive, whose kind is detected by content; or a folder, whose links are followed.
        folder: the destination; created if missing.
        keep: maps the path of a file to its path below ``folder``; None skips the file. Without it every file keeps
            its path, and empty folders are created too.
        arrange: checks and rearranges the unpacked files within their folder; returns the folder to move, which is
            the same or below it. Its exceptions are passed on.
        needed: required free bytes; the default is the size of all files of the archive.

    Returns:
        The files, sorted.

    Raises:
        ArchiveError: the archive is damaged or unsafe. Nothing in ``folder`` has changed.
        SpaceError: the disk is full. Nothing in ``folder`` has changed.
        OSError: the archive cannot be read, or the folder cannot be written.
    """
    purpose, needed = f"unpacking {archive.name}", unpacked_size(archive) if needed is None else needed
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, needed, purpose)
    for left in folder.glob(f".*{_STAGING}"):  # left by runs that were killed
        shutil.rmtree(left, ignore_errors=True)
    staging = folder / f".{archive.resolve().name}{_STAGING}"
    staging.mkdir()
    try:
        with running_out_of_space(folder, needed, purpose):
            _Unpacking(archive, staging, keep).run()
        unpacked = staging if arrange is None else arrange(staging)
        files = sorted(file.relative_to(unpacked) for file in unpacked.rglob("*") if file.is_file())
        _require_free_places(archive, folder, files)
        _move_into(folder, unpacked)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [folder / file for file in files]


class _Unpacking:
    """One pass over an archive, writing below an empty folder."""

    def __init__(self, archive: Path, folder: Path, keep: _Keep | None) -> None:
        self._archive, self._folder, self._keep = archive, folder, keep
        self._size = 0

    def run(self) -> None:
        """Write every file."""
        size, read = unpacked_size(self._archive) if self._archive.is_dir() else self._archive.stat().st_size, 0
        with (
            open_archive(self._archive) as members,
            console.progress(f"unpacking {self._archive.name}", size, "B", scale=True) as bar,
        ):
            for count, member in enumerate(members, start=1):
                if count > MOST_MEMBERS:
                    raise self._refused(f"it has more than {MOST_MEMBERS:,} members")
                bar.advance(member.offset - read)
                read = member.offset
                self._take(member)

    def _take(self, member: Member) -> None:
        path = self._inside(member.name)
        if not path.parts and member.kind != "folder":
            raise self._refused("a file has no name")
        if not path.parts or any(part.startswith("._") or part == "__MACOSX" for part in path.parts):
            return
        if member.kind == "folder":
            if self._keep is None:
                self._make_folder(path)
            return
        place = self._keep(path) if self._keep else path
        if place is None:
            return
        if member.kind != "file":
            raise self._refused(f"{member.name!r} is {member.kind}; only files and folders are unpacked")
        if printable(place) != str(place):
            raise self._refused(f"{member.name!r} has control characters in its name")
        self._write(member, self._inside(str(place)))

    def _inside(self, name: str) -> PurePosixPath:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise self._refused(f"{name!r} would be written outside the folder")
        return path

    def _make_folder(self, path: PurePosixPath) -> None:
        try:
            (self._folder / path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as failure:
            raise self._refused(f"{str(path)!r} is both a file and a folder") from failure

    def _write(self, member: Member, path: PurePosixPath) -> None:
        self._make_folder(path.parent)
        try:
            file = (self._folder / path).open("xb")
        except (FileExistsError, IsADirectoryError) as failure:
            raise self._refused(f"it has {str(path)!r} twice") from failure
        with file:
            for block in member.blocks():
                self._size += len(block)
                if self._size > MOST_BYTES:
                    raise self._refused(f"its unpacked size exceeds {scaled(MOST_BYTES, 'B')}")
                file.write(block)

    def _refused(self, reason: str) -> ArchiveError:
        return ArchiveError(f"{self._archive}: refused: {reason}")


def _require_free_places(archive: Path, folder: Path, files: Collection[Path]) -> None:
    """Refuse to write through a link or to replace a folder by a file, before anything is moved."""
    direct = {file.parent for file in files}
    parents = {parent for path in direct for parent in (path, *path.parents) if parent.parts}
    for path in (folder / parent for parent in sorted(parents)):
        if path.is_symlink():
            raise ArchiveError(f"{archive}: refused: {path} is a link; files would be written outside the folder")
        if path.exists() and not path.is_dir():
            raise ArchiveError(f"{archive}: refused: {path} exists and is not a folder")
    for path in (folder / file for file in files):
        if path.is_dir() and not path.is_symlink():
            raise ArchiveError(f"{archive}: refused: {path} exists and is a folder")


def _move_into(folder: Path, staging: Path) -> None:
    """Move every entry by renaming; only existing folders are entered."""
    for entry in sorted(staging.iterdir()):
        place = folder / entry.name
        if entry.is_dir() and place.is_dir():
            _move_into(place, entry)
        else:
            entry.replace(place)

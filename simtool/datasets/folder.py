"""A folder of image files as a table of images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from simtool.datasets.headers import image_sizes
from simtool.errors import SimtoolError, listed
from simtool.tables.images import Images, relative_path

__all__ = ["FolderError", "Index", "index_folder"]

#: The suffixes under which images of the known formats are looked for.
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
)

#: Class ids are int16 in a table; a folder with more classes has names only.
MOST_CLASSES = 1 << 15


class FolderError(SimtoolError):
    """A folder holds no images, or files that should be images and are not."""


@dataclass(frozen=True)
class Index:
    """What a folder holds.

    Attributes:
        images: its images, in the order of their ids.
        others: the number of files that are no images.
        bad: the files that have an image's suffix and cannot be read as one, below the folder.
    """

    images: Images
    others: int
    bad: tuple[str, ...]


def index_folder(folder: Path, table: Path, skip_bad: bool = False) -> Index:
    """List the images of a folder and of the folders in it.

    An image's id is its path below the folder, its class the folder that it lies in, its group the folder
    above that; in a flat folder it has neither. Classes are numbered from 0 in the order of their paths. Only
    headers are read. Files with other suffixes are counted, hidden ones (and ``._*`` of macOS) are not.

    Args:
        folder: where the images lie; links to files and folders are followed.
        table: where the table will be written, which paths are relative to.
        skip_bad: leave out files that cannot be read as images, instead of refusing the folder.

    Raises:
        FolderError: there are no images; or files cannot be read as images: the first few of them.
        OSError: a folder cannot be listed.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: not a folder" if folder.exists() else f"{folder}: no such folder")
    files = sorted(file.as_posix() for file in _files(folder))
    names = [name for name in files if PurePosixPath(name).suffix.lower() in SUFFIXES]
    _refuse_unwritable(folder, names)
    sizes = image_sizes(folder, names)
    bad = tuple(name for name, size in zip(names, sizes, strict=True) if size is None)
    if bad and not skip_bad:
        raise FolderError(
            f"{folder}: {len(bad):,} of {len(names):,} image files cannot be read as images: {listed(bad)}; "
            "replace or remove them, or leave them out with --skip-bad"
        )
    known = {name: size for name, size in zip(names, sizes, strict=True) if size is not None}
    if not known:
        held = f"{len(files):,} other files" if files else "no files"
        raise FolderError(f"{folder}: no images ({', '.join(sorted(SUFFIXES))}) in it or below, {held}")
    return Index(_images(folder, table, known), others=len(files) - len(names), bad=bad)


def _images(folder: Path, table: Path, sizes: dict[str, tuple[int, int]]) -> Images:
    names = list(sizes)
    root = PurePosixPath(relative_path(folder, table))
    parents = [PurePosixPath(name).parent for name in names]
    classes = sorted({parent for parent in parents if parent.name}, key=str)
    numbers = {parent: number for number, parent in enumerate(classes)} if len(classes) <= MOST_CLASSES else {}
    return Images.build(
        image_id=names,
        path=[(root / name).as_posix() for name in names],
        class_id=[numbers.get(parent, -1) for parent in parents],
        class_name=[parent.name or None for parent in parents],
        group_name=[parent.parent.name or None for parent in parents],
        width=np.array([width for width, _ in sizes.values()]),
        height=np.array([height for _, height in sizes.values()]),
    )


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """The files below a folder that are not hidden; a folder is entered once on any way down, so links end."""
    # Each entry: a path below the folder, and the folders (device, inode) on the way to it.
    waiting: list[tuple[PurePosixPath, frozenset[tuple[int, int]]]] = [(PurePosixPath(), frozenset())]
    while waiting:
        below, above = waiting.pop()
        status = (folder / below).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    waiting.append((below / entry.name, above | {identity}))
                elif entry.is_file() or not os.path.exists(entry.path):  # noqa: PTH110 - a dead link is a bad file
                    yield below / entry.name


def _refuse_unwritable(folder: Path, names: Sequence[str]) -> None:
    """Refuse file names that are no text: a table could not hold them."""
    surrogates = re.compile("[\ud800-\udfff]")
    if unreadable := [os.fsencode(name) for name in names if surrogates.search(name)]:
        raise FolderError(f"{folder}: {len(unreadable):,} file names are not UTF-8: {listed(unreadable)}; rename them")

"""A folder of image files as a table of images."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from simtool.collections.headers import image_sizes
from simtool.collections.layout import AUTO, check_layout, label
from simtool.errors import SimtoolError, listed
from simtool.kinds import Door, KindError, What, explain, kind_of
from simtool.pillow import SUFFIXES
from simtool.system.tree import files_below
from simtool.tables.images import Images, relative_path
from simtool.text import counted

__all__ = ["FolderError", "Index", "grouped", "index_folder"]

#: Suffixes of image files of other kinds, which are not read.
_FOREIGN = frozenset((
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".svg", ".eps", ".psd", ".ico",
    ".tga", ".exr", ".hdr", ".pcx", ".xcf", ".pbm", ".pnm", ".pfm", ".apng", ".mpo", ".dcm", ".cr2", ".cr3", ".nef",
    ".nrw", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw",
))  # fmt: skip
#: A suffix that names a kind of file. Files without one may be images that have lost theirs.
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,4}")


class FolderError(SimtoolError):
    """A folder holds no images, or files that should be images and are not."""


@dataclass(frozen=True)
class Index:
    """What a folder holds.

    Attributes:
        images: its images, in the order of their ids.
        note: which classes, groups and splits its folders were taken for, in one line.
        others: the files that were passed over: how many of each suffix.
        foreign: those among them that are images all the same, of a kind that is not read or without a suffix.
        bad: the files that have an image's suffix and cannot be read as one, below the folder, and why.
    """

    images: Images
    note: str
    others: Mapping[str, int]
    foreign: tuple[str, ...]
    bad: Mapping[str, str]


def index_folder(folder: Path, table: Path, skip_bad: bool = False, layout: str = AUTO) -> Index:
    """List the images of a folder and of the folders in it.

    An image's id is its path below the folder. Its class, group and split follow from the folders that it lies in:
    see :func:`simtool.collections.layout.label`. Classes are numbered from 0 in the order of their paths. Only
    headers are read. Files with other suffixes are counted, hidden ones (and ``._*`` of macOS) are not.

    Args:
        folder: where the images lie; links to files and folders are followed.
        table: where the table will be written, which paths are relative to.
        skip_bad: leave out files that cannot be read as images, instead of refusing the folder.
        layout: what the folders mean.

    Raises:
        FolderError: there are no images; or files cannot be read as images: why, and the first few of them.
        LayoutError: the layout is unknown.
        OSError: a folder cannot be listed.
    """
    check_layout(layout)
    if not folder.is_dir():
        raise FolderError(explain(folder, Door.PHOTOS))
    files = sorted(file.as_posix() for file in files_below(folder))
    names = [name for name in files if _suffix(name) in SUFFIXES]
    passed_over = [name for name in files if _suffix(name) not in SUFFIXES]
    foreign = tuple(name for name in passed_over if _is_foreign(folder / name))
    _refuse_unwritable(folder, names)
    known: dict[str, tuple[int, int]] = {}
    bad: dict[str, str] = {}
    for name, size in zip(names, image_sizes(folder, names), strict=True):
        if isinstance(size, str):
            bad[name] = size
        else:
            known[name] = size
    if bad and not skip_bad:
        raise FolderError(
            f"{folder}: {len(bad):,} of {len(names):,} image files cannot be read as images: {grouped(bad)}; "
            "replace or remove them, or leave them out with --skip-bad"
        )
    if not known:
        held = counted(len(files), "other files" if files else "files")
        unread = f", {len(foreign):,} of them images ({listed(foreign)}); save those as JPEG or PNG" if foreign else ""
        raise FolderError(f"{folder}: no images ({', '.join(sorted(SUFFIXES))}) in it or below, {held}{unread}")
    images, note = _images(folder, table, known, layout)
    return Index(images, note, Counter(map(_suffix, passed_over)), foreign, bad)


def grouped(bad: Mapping[str, str]) -> str:
    """Name files by what is wrong with them: ``the file is empty (a.jpg, b.jpg)``."""
    files: dict[str, list[str]] = {}
    for name, reason in bad.items():
        files.setdefault(reason, []).append(name)
    return listed(f"{reason} ({listed(names)})" for reason, names in files.items())


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_foreign(file: Path) -> bool:
    """Whether a file is an image although its suffix is not of those that are looked for."""
    suffix = file.suffix.lower()
    if suffix in _FOREIGN:
        return True
    if _SUFFIX.fullmatch(suffix):
        return False
    try:
        return kind_of(file).what in (What.IMAGE, What.FOREIGN_IMAGE)
    except KindError:
        return False


def _images(folder: Path, table: Path, sizes: dict[str, tuple[int, int]], layout: str) -> tuple[Images, str]:
    names = list(sizes)
    root = PurePosixPath(relative_path(folder, table))
    labels = label([PurePosixPath(name).parent for name in names], layout)
    classes = sorted({path for path in labels.class_path if path is not None}, key=str)
    numbers = {path: number for number, path in enumerate(classes)}
    images = Images.build(
        image_id=names,
        path=[(root / name).as_posix() for name in names],
        class_id=[-1 if path is None else numbers[path] for path in labels.class_path],
        class_name=[None if path is None else path.name for path in labels.class_path],
        group_name=labels.group,
        split=labels.split,
        width=np.array([width for width, _ in sizes.values()]),
        height=np.array([height for _, height in sizes.values()]),
    )
    return images, labels.note


def _refuse_unwritable(folder: Path, names: Sequence[str]) -> None:
    """Refuse file names that are no text: a table could not hold them."""
    surrogates = re.compile("[\ud800-\udfff]")
    if unreadable := [os.fsencode(name) for name in names if surrogates.search(name)]:
        raise FolderError(f"{folder}: {len(unreadable):,} file names are not UTF-8: {listed(unreadable)}; rename them")

"""A folder of image files as a table of images."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from simtool import console
from simtool.collections.layout import AUTO, check_layout, label
from simtool.errors import SimtoolError, listed
from simtool.kinds import Expected, KindError, What, explain, kind_of
from simtool.pillow import SUFFIXES, ImageError, upright_size
from simtool.system.tree import files_below
from simtool.tables.images import Images, relative_path
from simtool.text import counted

__all__ = ["FolderError", "Index", "grouped", "image_sizes", "index_folder"]

#: Suffixes of image formats that are not supported.
_FOREIGN = frozenset((
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".svg", ".eps", ".psd", ".ico",
    ".tga", ".exr", ".hdr", ".pcx", ".xcf", ".pbm", ".pnm", ".pfm", ".apng", ".mpo", ".dcm", ".cr2", ".cr3", ".nef",
    ".nrw", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw",
))  # fmt: skip
#: Files that a task reads: a task for each file would cost more than reading it.
_BATCH = 32
#: A suffix of a file format. Files without such a suffix may be images.
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,4}")


class FolderError(SimtoolError):
    """A folder has no images, or has image files that cannot be read."""


@dataclass(frozen=True)
class Index:
    """The images of a folder.

    Attributes:
        images: the images, in the order of their ids.
        note: one line about the detected classes, groups and splits.
        others: the number of skipped files of each suffix.
        foreign: the skipped files that are images of an unsupported format or without a suffix.
        bad: the files with the suffix of an image that cannot be read, below the folder, and the reason for each.
    """

    images: Images
    note: str
    others: Mapping[str, int]
    foreign: tuple[str, ...]
    bad: Mapping[str, str]


def index_folder(folder: Path, table: Path, skip_bad: bool = False, layout: str = AUTO) -> Index:
    """List the images of a folder and of its subfolders.

    The id of an image is its path below the folder. The names of its folders give its class, group and split: see
    :func:`simtool.collections.layout.label`. Classes are numbered from 0 in the order of their paths. Only headers
    are read. Files with other suffixes are counted; hidden files (and ``._*`` of macOS) are ignored.

    Args:
        folder: the folder of the images; links to files and folders are followed.
        table: the path of the table to write; image paths are relative to it.
        skip_bad: skip files that cannot be read as images, instead of refusing the folder.
        layout: the meaning of the folders.

    Raises:
        FolderError: the folder has no images, or files cannot be read as images.
        LayoutError: the layout is unknown.
        OSError: a folder cannot be listed.
    """
    check_layout(layout)
    if not folder.is_dir():
        raise FolderError(explain(folder, Expected.IMAGE_FOLDER))
    files = sorted(file.as_posix() for file in files_below(folder))
    names = [name for name in files if _suffix(name) in SUFFIXES]
    passed_over = [name for name in files if _suffix(name) not in SUFFIXES]
    foreign = tuple(name for name in passed_over if _is_foreign(folder / name))
    _refuse_unwritable(folder, names)
    sizes = dict(zip(names, image_sizes(folder, names), strict=True))
    known = {name: size for name, size in sizes.items() if not isinstance(size, str)}
    bad = {name: reason for name, reason in sizes.items() if isinstance(reason, str)}
    if bad and not skip_bad:
        raise FolderError(
            f"{folder}: {len(bad):,} of {len(names):,} image files cannot be read as images: {grouped(bad)}; "
            "replace or remove them, or skip them with --skip-bad"
        )
    if not known:
        held = counted(len(files), "other files" if files else "files")
        unread = f", {len(foreign):,} of them images ({listed(foreign)}); save those as JPEG or PNG" if foreign else ""
        raise FolderError(f"{folder}: no images ({', '.join(sorted(SUFFIXES))}) in the folder or below, {held}{unread}")
    images, note = _images(folder, table, known, layout)
    return Index(images, note, Counter(map(_suffix, passed_over)), foreign, bad)


def image_sizes(folder: Path, names: Sequence[str]) -> list[tuple[int, int] | str]:
    """Read the width and height in pixels of upright images, or a short reason why a file cannot be read.

    Several files are read in parallel, because opening a file on a network file system is slow.
    """
    sizes: list[tuple[int, int] | str] = []
    with console.progress("reading headers", len(names), "images") as bar, ThreadPoolExecutor() as pool:
        batches = (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))
        for batch in pool.map(lambda batch: [_size(folder / name) for name in batch], batches):
            sizes += batch
            bar.advance(len(batch))
    return sizes


def _size(path: Path) -> tuple[int, int] | str:
    try:
        with path.open("rb") as file:
            return upright_size(file)
    except ImageError as failure:
        return str(failure)
    except OSError as failure:
        return (failure.strerror or str(failure)).lower()


def grouped(bad: Mapping[str, str]) -> str:
    """Group files by their fault: ``the file is empty (a.jpg, b.jpg)``."""
    files: dict[str, list[str]] = {}
    for name, reason in bad.items():
        files.setdefault(reason, []).append(name)
    return listed(f"{reason} ({listed(names)})" for reason, names in files.items())


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_foreign(file: Path) -> bool:
    """Return whether a file with another suffix is an image."""
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
    """Refuse file names that are not valid text, because a table cannot hold them."""
    surrogates = re.compile("[\ud800-\udfff]")
    if unreadable := [os.fsencode(name) for name in names if surrogates.search(name)]:
        raise FolderError(f"{folder}: {len(unreadable):,} file names are not UTF-8: {listed(unreadable)}; rename them")

"""CUB-200-2011: 11,788 photographs of 200 species of birds (Wah, Branson, Welinder, Perona & Belongie 2011).

The table of images is made from the official text files; only the sizes are read from the photographs.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from simtool.archive import Source, unpack
from simtool.collections.folder import image_sizes
from simtool.errors import SimtoolError, listed
from simtool.pillow import SUFFIXES
from simtool.tables.files import TableError, metadata_of, open_parquet
from simtool.tables.images import Images
from simtool.tables.provenance import Provenance
from simtool.text import counted

__all__ = [
    "ARCHIVE",
    "COUNT",
    "ROOT",
    "CubError",
    "broken",
    "equal",
    "read_cub",
    "repair_cub",
    "require_origin",
    "require_same_copy",
    "root_in",
    "text_files",
    "unpack_cub",
]

#: The published archive, and a mirror with the same bytes.
ARCHIVE = Source(
    name="CUB_200_2011.tgz",
    urls=(
        "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",
        "https://s3.amazonaws.com/fast-ai-imageclas/CUB_200_2011.tgz",
    ),
    size=1_150_585_339,
    sha256=("0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",),
)
#: The number of photographs.
COUNT = 11_788
#: The folder in the archive with all files except ``attributes.txt``.
ROOT = "CUB_200_2011"
_ATTRIBUTES = "attributes.txt"
#: The name of a folder with the photographs of one species.
_SPECIES = re.compile(r"\d{3}\.[A-Z].*")

#: The text files, and the format and pattern of their lines. Each line begins with an id that is unique in the file.
_LINES = {
    "classes.txt": ("<class id> <class name>", r"(\d{1,4}) (.+)"),
    "images.txt": ("<image id> <path>", r"(\d{1,9}) (.+)"),
    "image_class_labels.txt": ("<image id> <class id>", r"(\d{1,9}) (\d{1,4})"),
    "train_test_split.txt": ("<image id> <1 for training, 0 for test>", r"(\d{1,9}) ([01])"),
    "bounding_boxes.txt": ("<image id> <x> <y> <width> <height>", r"(\d{1,9})" + 4 * r" (-?\d+(?:\.\d*)?)"),
}
_NO_TEXTS = "no copy of CUB-200-2011: images.txt, classes.txt and other text files are missing"


class CubError(SimtoolError):
    """A copy of CUB is incomplete or inconsistent; the message names file and line."""


class _Line(NamedTuple):
    """The number of a line in its text file, from 1, and the values after its id."""

    number: int
    values: tuple[str, ...]


class _TextFile(dict[int, _Line]):
    """A text file as a mapping from ids to lines."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        form, pattern = _LINES[path.name]
        for number, line in self._lines():
            match = re.fullmatch(pattern, line, re.ASCII)
            if match is None:
                raise self.fault(number, f"expected {form}, found {line!r}")
            key, *values = match.groups()
            if int(key) in self:
                raise self.fault(number, f"id {key} is also in line {self[int(key)].number}")
            self[int(key)] = _Line(number, tuple(values))

    def _lines(self) -> Iterator[tuple[int, str]]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError as failure:
            raise CubError(f"{self.path}: no such file") from failure
        except UnicodeDecodeError as failure:
            raise CubError(f"{self.path}: not a text file") from failure
        for number, line in enumerate(text.split("\n"), start=1):
            if words := line.split():
                yield number, " ".join(words)

    def fault(self, number: int, reason: str) -> CubError:
        """Return the error about a line."""
        return CubError(f"{self.path}, line {number}: {reason}")

    def require_images(self, images: _TextFile) -> None:
        """Refuse a file with other images than ``images.txt``."""
        for image, line in self.items():
            if image not in images:
                raise self.fault(line.number, f"image {image} is not in {images.path.name}")
        if missing := [image for image in images if image not in self]:
            raise CubError(f"{self.path}: no line for images of {images.path.name}: {listed(missing)}")


def text_files(root: Path) -> list[Path]:
    """Return the paths of the text files below their folder."""
    return [root / name for name in _LINES]


def root_in(folder: Path) -> Path | None:
    """Find the folder with the text files: ``CUB_200_2011`` in a folder, or the folder itself; None if missing.

    Raises:
        CubError: the folder is a part of an unpacked copy without the text files.
    """
    for root in (folder / ROOT, folder / ROOT / ROOT, folder):
        there = sum(file.exists() for file in text_files(root))
        if there > 1 or (there and root == folder / ROOT):
            return root
    if folder.resolve().name == "images" and sum(file.exists() for file in text_files(folder.resolve().parent)) > 1:
        raise CubError(f"{folder}: the photographs of the unpacked copy {folder.resolve().parent}: give that folder")
    for photographs in (folder / "images", folder):
        if photographs.is_dir() and any(_SPECIES.fullmatch(entry.name) for entry in photographs.iterdir()):
            raise CubError(
                f"{folder}: photographs of CUB without its text files (images.txt and others): give the folder of a "
                "whole copy, or an empty folder; simtool index-images makes a table of the photographs alone"
            )
    return None


def read_cub(folder: Path, root: Path | None = None) -> Images:
    """Return the photographs of an unpacked archive as rows for ``folder/images.parquet``.

    Args:
        folder: the folder of the table.
        root: the folder with ``images`` and the five text files, in ``folder`` or the same; the default is
            ``folder/CUB_200_2011``.

    Returns:
        One row for each line of ``images.txt``, in that order. ``image_id`` is the path below ``images/``;
        ``class_id`` and ``source_id`` are CUB's own numbers, from 1; boxes are in pixels. Width and height are -1
        for a photograph that is missing or unreadable: see :func:`broken`.

    Raises:
        CubError: a text file is missing or malformed, or two text files are inconsistent.
        OSError: a text file cannot be read.
    """
    root = root or folder / ROOT
    classes, images, labels, splits, boxes = map(_TextFile, text_files(root))
    for file in (labels, splits, boxes):
        file.require_images(images)
    names = _names(images)
    class_ids = [_class_of(labels[image], labels, classes) for image in images]
    sizes = image_sizes(root / "images", names)
    below = root.relative_to(folder)
    return Images.build(
        image_id=names,
        path=[(below / "images" / name).as_posix() for name in names],
        class_id=class_ids,
        class_name=[classes[class_id].values[0] for class_id in class_ids],
        split=["train" if splits[image].values == ("1",) else "test" for image in images],
        bbox=[boxes[image].values for image in images],
        width=[-1 if isinstance(size, str) else size[0] for size in sizes],
        height=[-1 if isinstance(size, str) else size[1] for size in sizes],
        source_id=list(images),
    )


def _names(images: _TextFile) -> list[str]:
    """Return the paths of the photographs, which must be distinct and stay below ``images/``."""
    if not images:
        raise CubError(f"{images.path}: it lists no images")
    seen: dict[str, int] = {}
    for line in images.values():
        path = PurePosixPath(line.values[0])
        if path.is_absolute() or ".." in path.parts:
            raise images.fault(line.number, f"{str(path)!r} is outside the folder of photographs")
        if str(path) in seen:
            raise images.fault(line.number, f"{path} is also in line {seen[str(path)]}")
        seen[str(path)] = line.number
    return list(seen)


def _class_of(line: _Line, labels: _TextFile, classes: _TextFile) -> int:
    class_id = int(line.values[0])
    if class_id not in classes:
        raise labels.fault(line.number, f"class {class_id} is not in {classes.path.name}")
    return class_id


def broken(images: Images) -> list[str]:
    """Return the ids of photographs that :func:`read_cub` found missing, empty or unreadable."""
    return [str(name) for name in images.image_id[images.width < 0]]


def unpack_cub(archive: Path, folder: Path) -> Images:
    """Unpack an archive or copy an unpacked folder; return the rows of all photographs, of which none is broken.

    The text files and photographs may be in any folder of the archive. A failure changes nothing in ``folder``.

    Raises:
        CubError: the archive is not of CUB, is inconsistent or lacks photographs.
        ArchiveError: the archive is damaged or unsafe.
        SpaceError: the disk is full.
        OSError: the archive cannot be read, or the folder cannot be written.
    """
    found: list[Images] = []

    def arrange(unpacked: Path) -> Path:
        arranged = _arranged(archive, unpacked)
        found.append(_whole(archive, arranged))
        return arranged

    unpack(archive, folder, keep=lambda path: path, arrange=arrange)
    return found[0]


def repair_cub(archive: Path, folder: Path, root: Path, names: Collection[str]) -> Images:
    """Unpack or copy the photographs with the given ids from an archive or folder; return the rows of all photographs.

    The table is in ``folder``, the folder ``images`` in ``root`` (see :func:`root_in`). A failure changes nothing.

    Raises:
        CubError: the archive lacks photographs.
        ArchiveError, SpaceError, OSError: as :func:`unpack_cub`.
    """
    wanted = frozenset(names)

    def keep(path: PurePosixPath) -> PurePosixPath | None:
        ends = (PurePosixPath(*path.parts[place + 1 :]) for place, part in enumerate(path.parts) if part == "images")
        return next((PurePosixPath("images", end) for end in ends if str(end) in wanted), None)

    def check(unpacked: Path) -> Path:
        _require_photographs(archive, unpacked, names)
        return unpacked

    unpack(archive, root, keep=keep, arrange=check, needed=0)  # only a few files are written
    return read_cub(folder, root)


def _arranged(archive: Path, unpacked: Path) -> Path:
    """Move the text files and photographs to ``CUB_200_2011``, and leave other files where they are."""
    places = Counter(file.parent for name in _LINES for file in unpacked.rglob(name) if file.is_file())
    if not places or max(places.values()) == 1:
        raise CubError(_no_copy(archive, unpacked))
    root = max(places, key=lambda place: (places[place], -len(place.parts)))
    attributes = root.parent / _ATTRIBUTES
    arranged = Path(tempfile.mkdtemp(dir=unpacked))
    if root != unpacked and attributes.is_file():
        attributes.rename(arranged / _ATTRIBUTES)
    if root != unpacked:
        root.rename(arranged / ROOT)
        return arranged
    (arranged / ROOT).mkdir()
    for entry in unpacked.iterdir():
        if entry != arranged:
            entry.rename(arranged / ROOT / entry.name)
    return arranged


def _no_copy(archive: Path, unpacked: Path) -> str:
    held = [file for file in unpacked.rglob("*") if file.suffix.lower() in SUFFIXES]
    if not held:
        return f"{archive}: {_NO_TEXTS}"
    return (
        f"{archive}: it has {counted(len(held), 'images')}, but no text files of CUB-200-2011 (images.txt, "
        f"classes.txt and others): get {ARCHIVE.name}; for a table of the images alone unpack it and use "
        "simtool index-images"
    )


def _whole(archive: Path, unpacked: Path) -> Images:
    """Read the unpacked files; refuse an incomplete copy."""
    try:
        images = read_cub(unpacked)
    except CubError as failure:
        raise CubError(str(failure).replace(str(unpacked), str(archive))) from failure
    _require_photographs(archive, unpacked / ROOT, broken(images))
    return images


def _require_photographs(archive: Path, root: Path, names: Collection[str]) -> None:
    sizes = image_sizes(root / "images", list(names))
    if bad := [name for name, size in zip(names, sizes, strict=True) if isinstance(size, str)]:
        raise CubError(f"{archive}: photographs are missing or unreadable: {listed(bad)}")


def require_same_copy(archive: Path, root: Path) -> None:
    """Refuse to repair a copy with the files of another archive.

    Raises:
        CubError: the text files differ.
    """
    other = root_in(archive)
    if other is None:
        raise CubError(f"{archive}: {_NO_TEXTS}")
    for mine, theirs in zip(text_files(root), text_files(other), strict=True):
        if not theirs.is_file() or mine.read_bytes() != theirs.read_bytes():
            raise CubError(f"{archive}: {theirs.name} differs from {mine}: it is a copy of another archive")


def require_origin(table: Path, accepted: Collection[str]) -> None:
    """Refuse to mix the photographs of two archives in one folder; the provenance of its table names the archive.

    Raises:
        CubError: the photographs are from an archive with another checksum.
    """
    try:
        origin = Provenance.from_json(metadata_of(open_parquet(table).schema_arrow))
    except TableError:
        return
    others = [file for file in origin.inputs if Path(file.name).suffix != ".txt"] if origin else []
    if others and others[0].sha256 not in accepted:
        raise CubError(
            f"{table.parent} has photographs of another archive, {others[0].name}: give that archive with --archive "
            f"(or --url and --sha256), choose another folder, or delete {table.parent / ROOT} first"
        )


def equal(one: Images, other: Images) -> bool:
    """Return whether two tables have equal rows in equal order."""
    return len(one) == len(other) and all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name), equal_nan=field.name == "bbox")
        for field in fields(Images)
    )

"""CUB-200-2011: 11,788 photographs of 200 species of birds (Wah, Branson, Welinder, Perona & Belongie 2011).

What the table of images says comes from the official text files; only the sizes come from the photographs.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

import numpy as np

from simtool.archive import Source, unpack
from simtool.collections.headers import image_sizes
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

#: The archive as its makers publish it, and a mirror that serves the same bytes.
ARCHIVE = Source(
    name="CUB_200_2011.tgz",
    urls=(
        "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",
        "https://s3.amazonaws.com/fast-ai-imageclas/CUB_200_2011.tgz",
    ),
    size=1_150_585_339,
    sha256=("0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",),
)
#: Photographs in it.
COUNT = 11_788
#: The folder in it that holds everything but ``attributes.txt``.
ROOT = "CUB_200_2011"
_ATTRIBUTES = "attributes.txt"
#: What a folder of photographs of one species is called.
_SPECIES = re.compile(r"\d{3}\.[A-Z].*")

#: The text files that are read, and what a line of each is; it begins with an id that occurs once in the file.
_LINES = {
    "classes.txt": ("<class id> <class name>", r"(\d{1,4}) (.+)"),
    "images.txt": ("<image id> <path>", r"(\d{1,9}) (.+)"),
    "image_class_labels.txt": ("<image id> <class id>", r"(\d{1,9}) (\d{1,4})"),
    "train_test_split.txt": ("<image id> <1 for training, 0 for test>", r"(\d{1,9}) ([01])"),
    "bounding_boxes.txt": ("<image id> <x> <y> <width> <height>", r"(\d{1,9})" + 4 * r" (-?\d+(?:\.\d*)?)"),
}


class CubError(SimtoolError):
    """A copy of CUB contradicts itself or lacks what it should hold; the message names file and line."""


@dataclass(frozen=True)
class _Line:
    """A line of a text file.

    Attributes:
        number: its place in the file, from 1.
        values: what follows the id.
    """

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
                raise self.fault(number, f"id {key} has been in line {self[int(key)].number} already")
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
        """The complaint about a line."""
        return CubError(f"{self.path}, line {number}: {reason}")

    def require_images(self, images: _TextFile) -> None:
        """Refuse a file that is not about exactly the images of ``images.txt``."""
        for image, line in self.items():
            if image not in images:
                raise self.fault(line.number, f"image {image} is not in {images.path.name}")
        if missing := [image for image in images if image not in self]:
            raise CubError(f"{self.path}: no line for images of {images.path.name}: {listed(missing)}")


def text_files(root: Path) -> list[Path]:
    """The text files that the table of images is made from, in the folder that holds them."""
    return [root / name for name in _LINES]


def root_in(folder: Path) -> Path | None:
    """The folder with the text files: ``CUB_200_2011`` in a folder, or the folder itself; None where there is none.

    Raises:
        CubError: the folder is a part of an unpacked copy that makes no table by itself.
    """
    for root in (folder / ROOT, folder / ROOT / ROOT, folder):
        there = sum(file.exists() for file in text_files(root))
        if there > 1 or (there and root == folder / ROOT):
            return root
    if folder.resolve().name == "images" and sum(file.exists() for file in text_files(folder.resolve().parent)) > 1:
        raise CubError(f"{folder}: these are the photographs of the unpacked copy {folder.resolve().parent}: name that")
    for photographs in (folder / "images", folder):
        if photographs.is_dir() and any(_SPECIES.fullmatch(entry.name) for entry in photographs.iterdir()):
            raise CubError(
                f"{folder}: these are photographs of CUB without its text files (images.txt and others): name the "
                "folder of a whole copy, or an empty one; simtool index-images makes a table of photographs alone"
            )
    return None


def read_cub(folder: Path, root: Path | None = None) -> Images:
    """The photographs of an unpacked archive, as rows for ``folder/images.parquet``.

    Args:
        folder: where the table will lie.
        root: holds ``images`` and the five text files, in the folder or the folder itself; None for
            ``folder/CUB_200_2011``.

    Returns:
        One row for each line of ``images.txt``, in that order. ``image_id`` is the path below ``images/``;
        ``class_id`` and ``source_id`` are CUB's own numbers, which begin with 1; boxes are in pixels. Width and
        height are -1 where a photograph is missing or no image: see :func:`broken`.

    Raises:
        CubError: a text file is missing or malformed, or two of them contradict each other.
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
    """The paths of the photographs, which must be different and stay below ``images/``."""
    if not images:
        raise CubError(f"{images.path}: it lists no images")
    seen: dict[str, int] = {}
    for line in images.values():
        path = PurePosixPath(line.values[0])
        if path.is_absolute() or ".." in path.parts:
            raise images.fault(line.number, f"{str(path)!r} leaves the folder of photographs")
        if str(path) in seen:
            raise images.fault(line.number, f"{path} has been in line {seen[str(path)]} already")
        seen[str(path)] = line.number
    return list(seen)


def _class_of(line: _Line, labels: _TextFile, classes: _TextFile) -> int:
    class_id = int(line.values[0])
    if class_id not in classes:
        raise labels.fault(line.number, f"class {class_id} is not in {classes.path.name}")
    return class_id


def broken(images: Images) -> list[str]:
    """The ids of photographs that are missing, empty or no images, as :func:`read_cub` found them."""
    return [str(name) for name in images.image_id[images.width < 0]]


def unpack_cub(archive: Path, folder: Path) -> Images:
    """Unpack an archive, or copy a folder that one was unpacked to, and read the outcome.

    Args:
        archive: the official archive, or another one of the same text files and photographs; they may lie in any
            folder of it.
        folder: where ``CUB_200_2011`` and ``attributes.txt`` go.

    Returns:
        The rows of all photographs; none of them is broken.

    Raises:
        CubError: the archive is not of CUB, contradicts itself or lacks photographs. Nothing in the folder has
            changed then.
        ArchiveError: the archive is damaged or refused, or the disk is full. Nothing has changed either.
        OSError: the archive cannot be read or the folder not written.
    """
    found: list[Images] = []
    unpack(
        archive,
        folder,
        keep=lambda path: path,
        arrange=lambda unpacked: _arranged(archive, unpacked),
        check=lambda arranged: found.append(_whole(archive, arranged)),
    )
    return found[0]


def repair_cub(archive: Path, folder: Path, root: Path, names: Collection[str]) -> Images:
    """Unpack some photographs of an archive, or copy them from a folder, and read the outcome.

    Args:
        archive: the archive that the others are from.
        folder: where the table lies.
        root: holds ``images``: see :func:`root_in`.
        names: the ids of the photographs.

    Returns:
        The rows of all photographs.

    Raises:
        CubError: the archive lacks photographs.
        ArchiveError: the archive is damaged or refused, or the disk is full. Nothing has changed then.
        OSError: the archive cannot be read or the folder not written.
    """
    wanted = frozenset(names)

    def keep(path: PurePosixPath) -> PurePosixPath | None:
        ends = (PurePosixPath(*path.parts[place + 1 :]) for place, part in enumerate(path.parts) if part == "images")
        return next((PurePosixPath("images", end) for end in ends if str(end) in wanted), None)

    unpack(
        archive,
        root,
        keep=keep,
        check=lambda unpacked: _require_photographs(archive, unpacked, names),
        needed=0,  # for a few files only
    )
    return read_cub(folder, root)


def _arranged(archive: Path, unpacked: Path) -> Path:
    """Put the text files and photographs into ``CUB_200_2011``, wherever they were, and leave all else behind."""
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
        return f"{archive}: no copy of CUB-200-2011: there is no images.txt, classes.txt or the like in it"
    return (
        f"{archive}: it holds {counted(len(held), 'images')}, but not the text files of CUB-200-2011 (images.txt, "
        f"classes.txt and so on), which say what they show: get {ARCHIVE.name}; for images alone unpack it and use "
        "simtool index-images"
    )


def _whole(archive: Path, unpacked: Path) -> Images:
    """Read what came out of an archive; refuse it if anything is missing."""
    try:
        images = read_cub(unpacked)
    except CubError as failure:
        raise CubError(str(failure).replace(str(unpacked), str(archive))) from failure
    _require_photographs(archive, unpacked / ROOT, broken(images))
    return images


def _require_photographs(archive: Path, root: Path, names: Collection[str]) -> None:
    sizes = image_sizes(root / "images", list(names))
    if bad := [name for name, size in zip(names, sizes, strict=True) if isinstance(size, str)]:
        raise CubError(f"{archive}: photographs missing in it or no images: {listed(bad)}")


def require_same_copy(archive: Path, root: Path) -> None:
    """Refuse to repair a copy from the folder of another one.

    Raises:
        CubError: their text files differ.
    """
    other = root_in(archive)
    if other is None:
        raise CubError(f"{archive}: no copy of CUB-200-2011: there is no images.txt, classes.txt or the like in it")
    for mine, theirs in zip(text_files(root), text_files(other), strict=True):
        if not theirs.is_file() or mine.read_bytes() != theirs.read_bytes():
            raise CubError(f"{archive}: {theirs.name} differs from {mine}: this is a copy of another archive")


def require_origin(table: Path, accepted: Collection[str]) -> None:
    """Refuse to mix the photographs of two archives in one folder.

    Args:
        table: the table of images that is there, which tells from which archive the photographs are.
        accepted: checksums of the archive that is asked for.

    Raises:
        CubError: they are from another archive.
    """
    try:
        origin = Provenance.from_json(metadata_of(open_parquet(table).schema_arrow))
    except TableError:
        return
    others = [file for file in origin.inputs if Path(file.name).suffix != ".txt"] if origin else []
    if others and others[0].sha256 not in accepted:
        raise CubError(
            f"{table.parent} holds the photographs of another archive, {others[0].name}: give that one with --archive "
            f"(or --url and --sha256), choose another folder, or delete {table.parent / ROOT} first"
        )


def equal(one: Images, other: Images) -> bool:
    """Whether two tables say the same, row for row."""
    return len(one) == len(other) and all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name), equal_nan=field.name == "bbox")
        for field in fields(Images)
    )

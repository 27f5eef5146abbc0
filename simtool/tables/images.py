"""The table of images: one row for each image, with its class and its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import listed, wrong_usage
from simtool.tables.files import TableError, check_unique, objects, read_columns, strings, write_table
from simtool.tables.provenance import Provenance
from simtool.text import counted, plural

__all__ = ["Images", "image_paths", "read_images", "relative_path", "write_images"]

KIND = "images"
_BBOX = ("bbox_x", "bbox_y", "bbox_width", "bbox_height")
_REQUIRED = {"image_id": pa.string(), "path": pa.string()}
_OPTIONAL = {
    "class_id": pa.int32(),
    "class_name": pa.string(),
    "group_name": pa.string(),
    "split": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    **dict.fromkeys(_BBOX, pa.float32()),
    "source_id": pa.int32(),
}
_TEXTS = ("class_name", "group_name", "split")
_NUMBERS = ("class_id", "width", "height", "source_id")


@dataclass(frozen=True)
class Images:
    """The columns of an images table, each of length n.

    Attributes:
        image_id: unique text.
        path: relative to the table's folder, POSIX separators.
        class_id: -1 for null.
        class_name: text or None.
        group_name: text or None; birds-16: the family.
        split: ``train``, ``test``, another name or None.
        width: pixels; -1 for unknown.
        height: pixels; -1 for unknown.
        bbox: (n, 4) x, y, width, height in pixels; NaN for null.
        source_id: the number of the image in its source; -1 for null.
    """

    image_id: NDArray[np.object_]
    path: NDArray[np.object_]
    class_id: NDArray[np.int32]
    class_name: NDArray[np.object_]
    group_name: NDArray[np.object_]
    split: NDArray[np.object_]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    bbox: NDArray[np.float32]
    source_id: NDArray[np.int32]

    @classmethod
    def build(cls, image_id: Sequence[str], path: Sequence[str], **columns: Any) -> Images:
        """Build a table from the required columns and any optional columns; missing columns are null."""
        n = len(image_id)
        rest: dict[str, Any] = {
            "bbox": np.asarray(columns.pop("bbox", np.full((n, 4), np.nan)), np.float32).reshape(n, 4),
            **{name: np.asarray(columns.pop(name, np.full(n, -1)), np.int32) for name in _NUMBERS},
            **{name: objects(columns.pop(name, [None] * n)) for name in _TEXTS},
        }
        return cls(image_id=objects(image_id), path=objects(path), **rest, **columns)

    def __len__(self) -> int:
        return len(self.image_id)

    def __repr__(self) -> str:
        return f"Images({counted(len(self), 'images')})"

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Images:
        """Select rows by positions, in this order, or by a mask."""
        return Images(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @wrong_usage()
    def where_split(self, split: str) -> Images:
        """Select the rows of one split; ``all`` keeps all rows.

        Raises:
            TableError: no row has this split.
        """
        if split == "all":
            return self
        rows = np.flatnonzero(self.split == split)
        if not rows.size:
            found = sorted({str(value) for value in self.split if value is not None})
            raise TableError(f"no image has split {split}; the table has {listed(found, 9) or 'no splits'}")
        return self.take(rows)


def read_images(path: Path) -> Images:
    """Read an images table; only ``image_id`` and ``path`` are required.

    Raises:
        TableError: a column is missing or has another type, an id is repeated, or a path is empty.
    """
    table = read_columns(path, KIND, _REQUIRED, _OPTIONAL)
    columns: dict[str, NDArray[Any]] = {
        "bbox": np.stack([table.column(name).to_numpy().astype(np.float32) for name in _BBOX], axis=1),
        **{name: strings(table.column(name)) for name in (*_REQUIRED, *_TEXTS)},
        **{name: pc.fill_null(table.column(name), -1).to_numpy() for name in _NUMBERS},
    }
    images = Images(**columns)
    if not len(images):
        raise TableError(f"{path}: the table has no rows")
    check_unique(path, "image_id", images.image_id)
    if empty := [row for row, name in enumerate(images.path) if not name]:
        raise TableError(f"{path}: column path is empty at {plural(len(empty), 'rows')} {listed(empty)}")
    return images


def write_images(path: Path, images: Images, provenance: Provenance) -> None:
    """Write an images table, atomically.

    Raises:
        TableError: an id is repeated.
        OSError: the file cannot be written.
    """
    check_unique(path, "image_id", images.image_id)
    wide = images.class_id.max(initial=0) > np.iinfo(np.int16).max
    types = {**_REQUIRED, **_OPTIONAL, "class_id": pa.int32() if wide else pa.int16()}
    values: dict[str, NDArray[Any]] = {**vars(images), **dict(zip(_BBOX, images.bbox.T, strict=True))}
    absent = {name: values[name] < 0 for name in _NUMBERS} | {name: np.isnan(values[name]) for name in _BBOX}
    columns = {name: pa.array(values[name], kind, mask=absent.get(name)) for name, kind in types.items()}
    write_table(path, columns, _REQUIRED, KIND, provenance)


def image_paths(table: Path, images: Images) -> list[Path]:
    """Return the paths of the files of an images table.

    If the table is a link, paths are relative to the link if the first file exists there, else to the linked table.
    """
    folder = table if table.is_dir() else table.parent
    paths = [folder / name for name in images.path]
    if table.is_symlink() and not table.is_dir() and paths and not paths[0].exists():
        return [table.resolve().parent / name for name in images.path]
    return paths


def relative_path(file: Path, table: Path) -> str:
    """Return the path of a file relative to the folder of a table, with POSIX separators."""
    return PurePosixPath(Path(os.path.relpath(file.resolve(), table.resolve().parent))).as_posix()

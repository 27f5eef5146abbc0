"""What images are, by content: the same however their table was written, and wherever it and the files lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from simtool.tables.images import Images
from simtool.tables.provenance import sha256_of

__all__ = ["files_digest", "images_digest", "labelled_digest"]

#: Files whose sizes stand for all: enough to tell one folder from another, few enough for any file system.
_SAMPLE = 1_000
#: Files that are read at once; more wait for the same disk.
_READERS = 4


def images_digest(images: Images, paths: Sequence[Path]) -> str:
    """Which images these are: their ids in order, and the sizes of up to 1,000 of their files.

    Args:
        images: the rows.
        paths: (n,) of their files.
    """
    step = -(-len(paths) // _SAMPLE) or 1
    return _sha256_of([images.image_id.tolist(), [_size(path) for path in paths[::step]]])


def files_digest(paths: Sequence[Path]) -> str:
    """The content of files, byte by byte, in order; a file that cannot be read counts as such."""
    with ThreadPoolExecutor(_READERS) as pool:
        return _sha256_of(list(pool.map(_content, paths)))


def labelled_digest(images: Images, paths: Sequence[Path]) -> str:
    """Images with everything that a training learns from: ids, classes, groups, splits, and every byte of the files.

    Args:
        images: the rows.
        paths: (n,) of their files.
    """
    columns = [images.image_id, images.class_id, images.class_name, images.group_name, images.split]
    return _sha256_of([*(column.tolist() for column in columns), files_digest(paths)])


def _sha256_of(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _content(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None

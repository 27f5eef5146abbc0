"""Digests of images by content, independent of the format and place of their table and files."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from simtool.tables.images import Images
from simtool.tables.provenance import sha256_of

__all__ = ["files_digest", "images_digest", "images_sample", "labelled_digest"]

#: Number of sampled files, and bytes read from each: enough to distinguish folders.
_SAMPLE, _BEGINNING = 32, 1 << 16
#: Files that are read in parallel; more would only wait for the disk.
_READERS = 4


def images_digest(images: Images) -> str:
    """Return a digest of the ids of images, in order."""
    return _sha256_of(images.image_id.tolist())


def images_sample(paths: Sequence[Path]) -> tuple[int, ...]:
    """Return a checksum of size and beginning for each of up to 32 files of a table; most differ between folders."""
    step = -(-len(paths) // _SAMPLE) or 1
    return tuple(_glimpse(path) for path in paths[::step])


def files_digest(paths: Sequence[Path]) -> str:
    """Return a digest of all bytes of files, in order; unreadable files count as missing."""
    with ThreadPoolExecutor(_READERS) as pool:
        return _sha256_of(list(pool.map(_content, paths)))


def labelled_digest(images: Images, paths: Sequence[Path]) -> str:
    """Return a digest of all inputs of a training: ids, classes, groups, splits, and all bytes of the files."""
    columns = [images.image_id, images.class_id, images.class_name, images.group_name, images.split]
    return _sha256_of([*(column.tolist() for column in columns), files_digest(paths)])


def _sha256_of(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _glimpse(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return zlib.crc32(file.read(_BEGINNING), path.stat().st_size & 0xFFFFFFFF)
    except OSError:
        return 0


def _content(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None

"""Image sizes from the headers of files, without decoding."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from simtool import console
from simtool.pillow import ImageError, upright_size

__all__ = ["image_sizes"]

#: Files that a task reads: a task for each file would cost more than reading it.
_BATCH = 32


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

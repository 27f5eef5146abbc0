"""The headers of image files: how large the images are, without decoding them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from simtool import console
from simtool.pillow import ImageError, upright_size

__all__ = ["image_sizes"]

_BATCH = 32


def image_sizes(folder: Path, names: Sequence[str]) -> list[tuple[int, int] | str]:
    """Read width and height of image files as they are shown: upright.

    Several files are read at a time, because a network file system takes long to open one.

    Args:
        folder: where they lie.
        names: their paths below it.

    Returns:
        (width, height) in pixels for each; where there is no image that can be read, why, in a few words.
    """
    with console.progress("reading headers", len(names), "images") as bar, ThreadPoolExecutor() as pool:
        sizes: list[tuple[int, int] | str] = []
        for batch in pool.map(lambda batch: [_size(folder / name) for name in batch], _batches(names)):
            sizes += batch
            bar.advance(len(batch))
    return sizes


def _batches(names: Sequence[str]) -> list[Sequence[str]]:
    """A task of the pool for each file would cost more than reading the file."""
    return [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]


def _size(path: Path) -> tuple[int, int] | str:
    try:
        with path.open("rb") as file:
            return upright_size(file)
    except ImageError as failure:
        return str(failure)
    except OSError as failure:
        return (failure.strerror or str(failure)).lower()

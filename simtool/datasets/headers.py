"""The headers of image files: how large the images are, without decoding them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from simtool import console

__all__ = ["FORMATS", "image_sizes"]

#: The formats that can be decoded, by Pillow's names.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")

_BATCH = 32


def image_sizes(folder: Path, names: Sequence[str]) -> list[tuple[int, int] | None]:
    """Read width and height of image files, whatever their color mode.

    Several files are read at a time, because a network file system takes long to open one.

    Args:
        folder: where they lie.
        names: their paths below it.

    Returns:
        (width, height) in pixels for each; None where there is no file, or no image of a known format.
    """
    with (
        console.progress("reading headers", len(names), "images") as bar,
        warnings.catch_warnings(),
        ThreadPoolExecutor() as pool,
    ):
        warnings.simplefilter("ignore")  # Pillow's warnings of huge or oddly tagged images
        sizes: list[tuple[int, int] | None] = []
        for batch in pool.map(lambda batch: [_size(folder / name) for name in batch], _batches(names)):
            sizes += batch
            bar.advance(len(batch))
    return sizes


def _batches(names: Sequence[str]) -> list[Sequence[str]]:
    """A task of the pool for each file would cost more than reading the file."""
    return [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]


def _size(file: Path) -> tuple[int, int] | None:
    try:
        with Image.open(file, formats=FORMATS) as image:
            return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None

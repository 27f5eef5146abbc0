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
        for size in pool.map(lambda name: _size(folder / name), names):
            sizes.append(size)
            bar.advance()
    return sizes


def _size(file: Path) -> tuple[int, int] | None:
    try:
        with Image.open(file, formats=FORMATS) as image:
            return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None

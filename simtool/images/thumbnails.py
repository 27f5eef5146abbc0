"""Small copies of images, for pages."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simtool.images.pipeline import BadImage, check_files
from simtool.pillow import ImageError, decode_rgb
from simtool.system.threads import available_cores, mapped

__all__ = ["side_of", "thumbnails"]

#: The longest side in pixels for up to so many images, so that all take 2 to 3 MB.
_SIDES = ((500, 128), (1_000, 96), (3_000, 64))
_SMALLEST = 48
_QUALITY = 70


def side_of(images: int) -> int:
    """The longest side of thumbnails, in pixels: smaller where there are many images."""
    return next((side for most, side in _SIDES if images <= most), _SMALLEST)


def thumbnails(
    image_ids: Sequence[str], paths: Sequence[Path], side: int, on_bad: Callable[[BadImage], object]
) -> Mapping[str, bytes]:
    """Make a WebP file of each image, by id.

    Args:
        image_ids: (n,) the ids.
        paths: (n,) their files.
        side: the longest side in pixels. Smaller images keep their size.
        on_bad: called with each image that cannot be decoded, which is then left out.

    Raises:
        ImageError: a file is missing.
    """
    check_files(image_ids, paths)

    def made(item: tuple[str, Path]) -> bytes | BadImage:
        name, path = item
        try:
            return _webp(decode_rgb(path.read_bytes()), side)
        except ImageError as failure:
            return BadImage(name, path, str(failure))

    found: dict[str, bytes] = {}
    pairs = zip(image_ids, paths, strict=True)
    for name, result in zip(image_ids, mapped(made, pairs, 2 * available_cores()), strict=True):
        if isinstance(result, BadImage):
            on_bad(result)
        else:
            found[name] = result
    return found


def _webp(pixels: NDArray[np.uint8], side: int) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()

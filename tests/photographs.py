"""Generated images for tests, and a reference preprocessing in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simtool.tables.images import Images, write_images
from simtool.tables.provenance import Provenance

__all__ = ["draw", "prepared", "resized", "write_table"]


def draw(seed: int, height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """A smooth, colorful image (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    return np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))


def write_table(folder: Path, count: int, **columns: object) -> Path:
    """A table of ``count`` generated JPEG images, image_id ``bird-0`` and so on, with the files in the same folder."""
    (folder / "photographs").mkdir(parents=True, exist_ok=True)
    names = [f"photographs/{number}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        Image.fromarray(draw(number)).save(folder / name, quality=95)
    images = Images.build([f"bird-{number}" for number in range(count)], names, **columns)
    write_images(folder / "images.parquet", images, Provenance.of(["test"], []))
    return folder / "images.parquet"


def prepared(path: Path, fraction: float, size: int) -> NDArray[np.float32]:
    """The study's preprocessing in float32: decoding by Pillow, central crop, bilinear resize, / 255 - 0.5."""
    pixels = np.array(Image.open(path).convert("RGB"))
    height, width = pixels.shape[:2]
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    cropped = pixels[top : height - top, left : width - left]
    scaled: NDArray[np.float32] = resized(cropped, size, size) / np.float32(255) - np.float32(0.5)
    return scaled


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Bilinear interpolation between pixel centers, first along the rows, then down the columns, in float32."""
    image = pixels.astype(np.float32)
    upper, lower, down = _taps(image.shape[0], height)
    left, right, along = _taps(image.shape[1], width)
    along, down = along[np.newaxis, :, np.newaxis], down[:, np.newaxis, np.newaxis]
    top = image[upper][:, left] + (image[upper][:, right] - image[upper][:, left]) * along
    bottom = image[lower][:, left] + (image[lower][:, right] - image[lower][:, left]) * along
    between: NDArray[np.float32] = top + (bottom - top) * down
    return between


def _taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    scale = np.float32(source) / np.float32(target)
    center = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    below = np.floor(center)
    first = np.maximum(below, 0).astype(np.intp)
    second = np.minimum(np.ceil(center), source - 1).astype(np.intp)
    return first, second, (center - below).astype(np.float32)

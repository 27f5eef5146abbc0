"""The pipeline from image files to batches of arrays: in order, decoded in parallel, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.images.preprocessing import Preprocessing
from simtool.images.steps import prepared
from simtool.pillow import ImageError, decode_rgb
from simtool.system.threads import available_cores, mapped
from simtool.text import counted

__all__ = ["BadImage", "Batch", "check_files", "described", "stream"]

#: Bytes of prepared images that wait for the consumer.
_WAITING_BYTES = 32 << 20


@dataclass(frozen=True)
class BadImage:
    """An image that cannot be decoded.

    Attributes:
        image_id: of the images table.
        path: of its file.
        reason: why, in a few words.
    """

    image_id: str
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.image_id}: {self.path} cannot be decoded: {self.reason}"


@dataclass(frozen=True)
class Batch:
    """Consecutive images, without skipped images.

    Attributes:
        rows: (b,) positions among all images of the stream.
        pixels: (b, height, width, 3) float32.
    """

    rows: NDArray[np.intp]
    pixels: NDArray[np.float32]


def check_files(image_ids: Sequence[str] | NDArray[np.object_], paths: Sequence[Path]) -> None:
    """Find missing files before the work starts."""
    missing = [f"{name} ({path})" for name, path in zip(image_ids, paths, strict=True) if not path.is_file()]
    if missing:
        raise ImageError(
            f"{len(missing):,} of {len(paths):,} images have no file: {listed(missing)}; restore the files, or "
            "list the files that exist with index-images"
        )


def described(skipped: Sequence[BadImage]) -> str:
    """One line about images that were left out."""
    return f"left out {counted(len(skipped), 'images')}: {listed(skipped)}"


def stream(
    image_ids: Sequence[str] | NDArray[np.object_],
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    batch_size: int,
    on_bad: Callable[[BadImage], None] | None = None,
) -> Iterator[Batch]:
    """Decode and preprocess images, in order.

    Args:
        image_ids: (n,) for messages.
        paths: (n,) their files.
        preprocessing: of each image.
        batch_size: images in each batch; the last batch may have fewer.
        on_bad: called with each image that cannot be decoded, which is then skipped; None makes it an error.

    Raises:
        ImageError: an image cannot be decoded, and ``on_bad`` is None.
    """
    rows: list[int] = []
    pixels = np.empty((batch_size, *preprocessing.shape), np.float32)
    waiting = max(2 * available_cores(), _WAITING_BYTES // (4 * preprocessing.dimension))
    images = mapped(partial(_image, preprocessing), zip(image_ids, paths, strict=True), waiting)
    for row, image in enumerate(images):
        if isinstance(image, BadImage):
            if on_bad is None:
                raise ImageError(f"{image}; repair it, or leave it out with --skip-bad")
            on_bad(image)
            continue
        pixels[len(rows)] = image
        rows.append(row)
        if len(rows) == batch_size:
            yield Batch(np.array(rows, np.intp), pixels)
            rows, pixels = [], np.empty_like(pixels)
    if rows:
        yield Batch(np.array(rows, np.intp), pixels[: len(rows)])


def _image(preprocessing: Preprocessing, source: tuple[object, Path]) -> NDArray[np.float32] | BadImage:
    """The prepared image of an id and a file, or the reason why there is none."""
    image_id, path = source
    try:
        return prepared(decode_rgb(path.read_bytes(), preprocessing.background), preprocessing)
    except ImageError as failure:
        return BadImage(str(image_id), path, str(failure))
    except OSError as failure:
        return BadImage(str(image_id), path, failure.strerror or str(failure))

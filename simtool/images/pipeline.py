"""The pipeline from image files to batches of tensors: in order, decoded in parallel, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.images.decoding import ImageError, decode_rgb, decode_tensor
from simtool.images.preprocessing import Preprocessing
from simtool.images.tensors import Transform, transform
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow
from simtool.text import counted

__all__ = ["BadImage", "Batch", "check_files", "described", "stream"]

#: Bytes of decoded images that wait for the consumer.
_PREFETCH_BYTES = 32 << 20


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
    for row, image in enumerate(_decoded(image_ids, paths, preprocessing)):
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


def _decoded(
    image_ids: Sequence[str] | NDArray[np.object_], paths: Sequence[Path], preprocessing: Preprocessing
) -> Iterator[NDArray[np.float32] | BadImage]:
    """Each image in order, or the reason why it cannot be decoded."""
    if not len(paths):
        return
    tf = load_tensorflow()
    prepare = transform(preprocessing)
    elements = iter(_dataset(paths, prepare, preprocessing))
    for image_id, path in zip(image_ids, paths, strict=True):
        try:
            # After an element fails, the next call returns the element after it.
            yield next(elements).numpy()
        except tf.errors.OpError:
            yield _second_try(str(image_id), path, prepare, preprocessing)


def _dataset(paths: Sequence[Path], prepare: Transform, preprocessing: Preprocessing) -> Any:
    tf = load_tensorflow()
    cores = available_cores()
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False  # it would widen the buffers until the memory is full
    options.threading.private_threadpool_size = cores
    files = tf.data.Dataset.from_tensor_slices([os.fspath(path) for path in paths])
    images = files.map(
        lambda path: prepare(decode_tensor(tf.io.read_file(path), preprocessing.background)), num_parallel_calls=cores
    )
    waiting = max(2 * cores, _PREFETCH_BYTES // (4 * preprocessing.dimension))
    return images.prefetch(waiting).with_options(options)


def _second_try(
    image_id: str, path: Path, prepare: Transform, preprocessing: Preprocessing
) -> NDArray[np.float32] | BadImage:
    """Decode an image with Pillow that TensorFlow cannot decode; if Pillow fails too, its message is clearer."""
    tf = load_tensorflow()
    try:
        return np.asarray(prepare(tf.constant(decode_rgb(path.read_bytes(), preprocessing.background))).numpy())
    except ImageError as failure:
        return BadImage(image_id, path, str(failure))
    except OSError as failure:
        return BadImage(image_id, path, failure.strerror or str(failure))
    except tf.errors.OpError as failure:
        return BadImage(image_id, path, failure.message.splitlines()[0])

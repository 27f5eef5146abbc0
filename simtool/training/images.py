"""Images as training data: decoded once, shuffled in each epoch, resumable at any step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simtool.console import Progress
from simtool.errors import listed
from simtool.images.pipeline import BadImage, stream
from simtool.images.preprocessing import Preprocessing
from simtool.pillow import ImageError
from simtool.system.space import scratch_file
from simtool.tables.images import Images
from simtool.training.data import Batch
from simtool.training.devices import Worker
from simtool.training.split import Split

__all__ = ["Classes", "Rounding", "TrainingImages", "check_classes", "decode_all", "decoded_bytes"]

#: The rounding of resized values to bytes: ``floor``, which is exact for flows of fewer bits, or ``nearest``.
Rounding = Literal["floor", "nearest"]
#: Larger sets of decoded images are in a scratch file, which the system caches in memory if there is room.
_IN_MEMORY = 1 << 30
#: Resizing in float32 lowers a whole number by less than this.
_ROUNDING = 1e-3
#: Images that are decoded together.
_BATCH = 64


class Classes:
    """The classes of images, as labels from 0 without gaps.

    Args:
        images: the table; each image has a class.

    Attributes:
        names: by label.
        labels: (n,) int32.

    Raises:
        ImageError: some images have no class.
    """

    def __init__(self, images: Images) -> None:
        if missing := int((images.class_id < 0).sum()):
            first = images.image_id[int(np.argmax(images.class_id < 0))]
            raise ImageError(
                f"{missing:,} of {len(images):,} images have no class, the first is {first}; "
                "put the images of each class into their own folder, and run index-images again"
            )
        _, first_rows, labels = np.unique(images.class_id, return_index=True, return_inverse=True)
        self.names = tuple(str(images.class_name[row] or images.class_id[row]) for row in first_rows)
        self.labels = labels.astype(np.int32)


def decode_all(
    images: Images,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    rounding: Rounding,
    scratch: Path | None = None,
    bar: Progress | None = None,
    bad: list[BadImage] | None = None,
) -> NDArray[np.uint8]:
    """Decode, crop and resize every image.

    Args:
        images: the table.
        paths: (n,) their files.
        preprocessing: its crop and size are used; the model applies its color operations.
        rounding: of resized values.
        scratch: the folder for a scratch file, which large sets need; None for the system's.
        bar: told of each image.
        bad: gets the images that cannot be decoded, which are then black; None makes the first one an error.

    Returns:
        (n, height, width, 3) bytes.

    Raises:
        ImageError: an image cannot be decoded.
        SpaceError: the disk has no space for the scratch file.
    """
    pixels = _room((len(images), *preprocessing.shape), scratch)
    on_bad = None if bad is None else bad.append
    for batch in stream(images.image_id, paths, preprocessing.spatial, _BATCH, on_bad):
        values = np.floor(batch.pixels + _ROUNDING) if rounding == "floor" else np.rint(batch.pixels)
        pixels[batch.rows] = np.clip(values, 0, 255).astype(np.uint8)
        if bar is not None:
            bar.advance(len(batch.rows))
    return pixels


def decoded_bytes(count: int, preprocessing: Preprocessing) -> int:
    """The memory of the images of :func:`decode_all`; 0 for a scratch file, whose memory the system can reuse."""
    size = count * preprocessing.dimension
    return size if size <= _IN_MEMORY else 0


def _room(shape: tuple[int, ...], scratch: Path | None) -> NDArray[np.uint8]:
    """Zeros, in memory or in a file without a name, which the system removes when the program ends."""
    size = math.prod(shape)
    if size <= _IN_MEMORY:
        return np.zeros(shape, np.uint8)
    with scratch_file(scratch, size, "decoded images", reserve=True) as file:
        return np.memmap(file, np.uint8, "r+", shape=shape)


class TrainingImages:
    """Batches of decoded images; see :class:`simtool.training.data.TrainingData`.

    Args:
        pixels: (n, height, width, 3) bytes.
        split: the rows for training and for validation.
        batch_size: of a global batch; with fewer training images, one batch holds all of them.
        seed: of the order.
        labels: (n,) int32 classes; None for images without classes.

    Attributes:
        steps_per_epoch: the number of whole batches; the remaining images differ from epoch to epoch.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        split: Split,
        batch_size: int,
        seed: int,
        labels: NDArray[np.int32] | None = None,
    ) -> None:
        self._pixels, self._labels, self._split, self._seed = pixels, labels, split, seed
        self.batch_size = min(batch_size, len(split.train))
        self.steps_per_epoch = len(split.train) // self.batch_size
        self._validation_size = batch_size

    def batches(self, epoch: int, start: int, worker: Worker) -> Iterator[Batch]:
        """A worker's rows of the batches of an epoch, from a step on. See ``TrainingData.batches``."""
        order = np.random.default_rng([self._seed, epoch]).permutation(self._split.train)
        for step in range(start, self.steps_per_epoch):
            whole = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield self._batch(whole[worker.index :: worker.count])

    def validation(self, worker: Worker) -> Iterator[Batch]:
        """A worker's rows of the validation set, in the order of the table. See ``TrainingData.validation``."""
        rows = self._split.validation
        for start in range(0, len(rows), self._validation_size):
            yield self._batch(rows[start : start + self._validation_size][worker.index :: worker.count])

    def _batch(self, rows: NDArray[np.intp]) -> Batch:
        images = {"image": np.asarray(self._pixels[rows])}
        return images if self._labels is None else {**images, "label": self._labels[rows]}


def check_classes(classes: Classes, split: Split, least: int = 1) -> None:
    """Refuse classes that cannot be learned: fewer than ``least``, or a class without a training image.

    Raises:
        ImageError: there are too few classes or images.
    """
    if len(classes.names) < least:
        raise ImageError(
            f"all images are of one class, {listed(classes.names)}; a classifier needs at least {least}; "
            "index-images makes a class of each folder of images"
        )
    present = np.bincount(classes.labels[split.train], minlength=len(classes.names)) > 0
    if not present.all():
        absent = [name for name, there in zip(classes.names, present, strict=True) if not there]
        raise ImageError(
            f"{len(absent):,} of {len(classes.names):,} classes have no training image, for example {absent[0]}; "
            "add images of these classes, or remove the classes"
        )

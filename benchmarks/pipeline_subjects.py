"""The subjects of benchmarks/pipeline.py: input pipelines of a training, each in a separate process.

    python benchmarks/pipeline_subjects.py SUBJECT CORES

Each line of standard input is a request, ``SIZE AUGMENTATION SECONDS``: images of that height and width, and the
augmentation. The answer is a JSON object with the images per second. A pipeline starts from decoded images in memory,
in uint8, shuffles them and gives batches of 64 as the training step gets them. The first batches, which can be made
before they are asked for, do not count.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.processes import say
else:
    from processes import say

__all__ = ["CHOICES", "OURS", "PEERS"]

BATCH = 64
#: Batches that do not count.
EARLY = 6
#: Bytes of decoded images.
ROOM = 128 << 20
#: ``mirror``: half of the images mirrored, in bytes, as for flows. The other choices give float32, as for classifiers.
CHOICES = ("mirror", "study", "field", "none")

#: From images (n, size, size, 3) and an augmentation to batches without end.
Pipeline = Callable[[NDArray[np.uint8], str], Iterator[Any]]


@cache
def images(size: int) -> NDArray[np.uint8]:
    """Noise. The values of the pixels do not change the time."""
    shape = (ROOM // (3 * size * size), size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def simtool(pixels: NDArray[np.uint8], augmentation: str, augment: str) -> Iterator[Any]:
    """The pipeline of ``train-glow`` and ``train-resnet``, whose augmentation is a part of the step's graph.

    ``augment`` is ``loops``, as on a processor; ``operations``, with TensorFlow's operations; or ``none``, for what a
    processor does while a GPU augments.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from simtool.tensorflow import load_tensorflow
    from simtool.training.augmentation import AUGMENTATIONS, by_loops, by_operations, mirrored
    from simtool.training.data import Draws, replica_batches, step_seed
    from simtool.training.devices import ALONE, Devices
    from simtool.training.images import TrainingImages
    from simtool.training.split import Split

    tf = load_tensorflow()
    data = TrainingImages(pixels, Split(np.arange(len(pixels)), np.arange(0)), BATCH, 0)
    devices = Devices(tf.distribute.get_strategy())

    def changed(batch: Any, seed: Any, rows: Any) -> Any:
        draws = Draws(seed, BATCH, rows)
        if augmentation == "mirror":
            return mirrored(batch, draws)
        if augmentation == "none":
            return tf.cast(batch, tf.float32)
        return (by_loops if augment == "loops" else by_operations)(batch, AUGMENTATIONS[augmentation], draws)

    graph, epoch = tf.function(changed, autograph=False), 0
    while True:
        for step, batch in enumerate(data.batches(epoch, 0, ALONE)):
            (share,) = replica_batches(batch, devices, BATCH, fill=False)
            seed = tf.constant(step_seed(epoch, "training", step))
            yield share if augment == "none" else graph(share.batch["image"], seed, share.rows)
        epoch += 1


def tf_data(pixels: NDArray[np.uint8], augmentation: str) -> Iterator[Any]:
    """tf.data with the functions of tf.image, image by image; for ``study``, the layers of Keras on batches."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    size = pixels.shape[1]
    whole = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])
    layers = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.05),
        keras.layers.RandomTranslation(0.1, 0.1),
        keras.layers.RandomZoom(0.1),
        keras.layers.RandomContrast(0.2, value_range=(0, 1)),
        keras.layers.GaussianNoise(0.02),
    ]

    def cropped(image: Any) -> Any:
        begin, extent, _ = tf.image.sample_distorted_bounding_box(
            [size, size, 3], whole, area_range=(0.35, 1.0), aspect_ratio_range=(0.75, 4 / 3), min_object_covered=0.0
        )
        image = tf.image.resize(tf.slice(image, begin, extent), (size, size))
        image = tf.image.random_contrast(tf.image.random_flip_left_right(image), 0.7, 1.3)
        return tf.clip_by_value(tf.image.random_brightness(image, 0.15 * 255), 0.0, 255.0)

    def of_batch(batch: Any) -> Any:
        batch = tf.cast(batch, tf.float32) / 255
        for layer in layers:
            batch = layer(batch, training=True)
        return tf.clip_by_value(batch, 0.0, 1.0)

    of_image: dict[str, Callable[[Any], Any]] = {
        "mirror": tf.image.random_flip_left_right,
        "field": cropped,
        "none": partial(tf.cast, dtype=tf.float32),
    }
    data = tf.data.Dataset.from_tensor_slices(pixels).shuffle(len(pixels)).repeat()
    if augmentation in of_image:
        data = data.map(of_image[augmentation], num_parallel_calls=tf.data.AUTOTUNE)
    data = data.batch(BATCH, drop_remainder=True)
    if augmentation == "study":
        data = data.map(of_batch, num_parallel_calls=tf.data.AUTOTUNE)
    yield from data.prefetch(tf.data.AUTOTUNE)


def torchvision(pixels: NDArray[np.uint8], augmentation: str, workers: int) -> Iterator[Any]:
    """The transforms of torchvision (v2) in a ``DataLoader``."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.transforms import InterpolationMode, v2

    size = pixels.shape[1]
    number = v2.ToDtype(torch.float32, scale=True)
    steps: dict[str, list[Any]] = {
        "mirror": [v2.RandomHorizontalFlip()],
        "study": [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(18, (0.1, 0.1), (0.9, 1.1), interpolation=InterpolationMode.BILINEAR),
            v2.ColorJitter(contrast=0.2),
            number,
            v2.GaussianNoise(sigma=0.02),
        ],
        "field": [
            v2.RandomResizedCrop(size, (0.35, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(brightness=0.15, contrast=0.3),
            number,
        ],
        "none": [number],
    }
    prepare, content = v2.Compose(steps[augmentation]), torch.from_numpy(pixels).permute(0, 3, 1, 2)

    class Images:
        def __len__(self) -> int:
            return len(content)

        def __getitem__(self, index: int) -> Any:
            return prepare(content[index])

    loader = DataLoader(Images(), BATCH, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        yield from loader


#: Subjects that run in the environment of simtool.
OURS: dict[str, Pipeline] = {
    "simtool": partial(simtool, augment="loops"),
    "simtool, a GPU augments": partial(simtool, augment="none"),
    "simtool, TensorFlow's operations": partial(simtool, augment="operations"),
    "tf.data": tf_data,
}
PEERS: dict[str, Pipeline] = {
    f"torchvision, {workers} workers": partial(torchvision, workers=workers) for workers in (0, 2)
}


def per_second(batches: Iterator[Any], seconds: float) -> float:
    """Images per second, over at least so many seconds."""
    for _ in range(EARLY):
        next(batches)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        next(batches)
        count += BATCH
    return count / (time.perf_counter() - started)


def main(subject: str, cores: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    warnings.simplefilter("ignore")
    pipeline = {**OURS, **PEERS}[subject]
    for line in sys.stdin:
        size, augmentation, seconds = line.split()
        say({"per_second": per_second(pipeline(images(int(size)), augmentation), float(seconds))})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

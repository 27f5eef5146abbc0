"""Augmentation: random changes of images that keep their class.

An augmentation is data. Each image of each step gets its own random amounts. All changes that move pixels form one
affine map, so that an image is resampled only once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from simtool.images.preprocessing import PreprocessingError
from simtool.tensorflow import load_tensorflow
from simtool.training.data import Draws
from simtool.training.loops import change

__all__ = ["AUGMENTATIONS", "Augmentation", "augment", "by_loops", "by_operations", "mirrored"]


@dataclass(frozen=True)
class Augmentation:
    """The largest changes of images. Each amount is drawn uniformly for each image.

    Attributes:
        flip: mirror half of the images horizontally.
        rotation: largest rotation in full turns, in both directions.
        translation: largest shift as a share of height and width, in both directions.
        zoom: largest change of scale, as a share.
        area: smallest share of the image that a crop shows (Szegedy et al., 2015); 1 for no crop.
        stretch: largest ratio of the width and height of a crop.
        contrast: largest change of contrast around the mean of each channel, as a share.
        brightness: largest change of brightness, as a share of white.
        noise: standard deviation of the noise on each value, as a share of white.
    """

    flip: bool = False
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    area: float = 1.0
    stretch: float = 1.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rotation", "translation", "zoom", "contrast", "brightness", "noise"):
            if not 0 <= getattr(self, name) < 1:
                raise PreprocessingError(
                    f"the {name} of an augmentation must be at least 0 and below 1, not {getattr(self, name)}"
                )
        if not 0 < self.area <= 1:
            raise PreprocessingError(f"the area of an augmentation must be above 0 and at most 1, not {self.area}")
        if not 1 <= self.stretch <= 4:
            raise PreprocessingError(f"the stretch of an augmentation must be from 1 to 4, not {self.stretch}")

    @property
    def moves(self) -> bool:
        """Whether any pixel moves."""
        return self.flip or any((self.rotation, self.translation, self.zoom, 1 - self.area, self.stretch - 1))


#: ``study``: the list of the original study (flip, contrast, rotation, translation, zoom, noise); the study does not
#: publish the amounts, so they are our choice. ``field``: the usual augmentation of classifiers. ``flip``: for density
#: models, since a mirrored image is still a natural image. ``none``: no augmentation.
AUGMENTATIONS: dict[str, Augmentation] = {
    "study": Augmentation(flip=True, rotation=0.05, translation=0.1, zoom=0.1, contrast=0.2, noise=0.02),
    "field": Augmentation(flip=True, area=0.35, stretch=4 / 3, contrast=0.3, brightness=0.15),
    "flip": Augmentation(flip=True),
    "none": Augmentation(),
}


def augment(images: Any, augmentation: Augmentation, draws: Draws) -> Any:
    """Change a batch of images at random. For use inside a graph.

    A GPU computes TensorFlow's operations. A processor computes compiled loops, which give the same bits as these
    operations and are several times as fast.

    Args:
        images: (b, height, width, 3) uint8.
        augmentation: the largest changes.
        draws: the random numbers.

    Returns:
        (b, height, width, 3) float32 from 0 to 255.
    """
    tf = load_tensorflow()
    if augmentation == Augmentation():
        return tf.cast(images, tf.float32)
    return (by_operations if tf.config.list_logical_devices("GPU") else by_loops)(images, augmentation, draws)


def mirrored(images: Any, draws: Draws) -> Any:
    """Mirror half of the images horizontally, and change nothing else. For use inside a graph.

    ``images`` has (b, height, width, 3) of any type; so has the result.
    """
    tf = load_tensorflow()
    turned, count = draws.uniform() < 0.5, tf.shape(images)[0]
    both = tf.concat([images, tf.reverse(images, [2])], 0)
    return tf.ensure_shape(tf.gather(both, tf.range(count) + tf.where(turned, count, 0)), images.shape)


def by_operations(images: Any, augmentation: Augmentation, draws: Draws) -> Any:
    """See :func:`augment`; with TensorFlow's operations."""
    tf = load_tensorflow()
    images = tf.cast(images, tf.float32)
    if augmentation.moves:
        images = _moved(images, augmentation, draws.fold(0))
    level = _shifts(augmentation, draws)[:, :, tf.newaxis, tf.newaxis]
    if augmentation.contrast:
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        images = (images - mean) * _factors(augmentation, draws)[:, :, tf.newaxis, tf.newaxis]
        level += mean
    if augmentation.noise:
        images += 255 * augmentation.noise * draws.fold(3).normal(tuple(images.shape[1:]))
    # Last: TensorFlow adds small tensors last in a graph, whatever the order here.
    images += level
    return tf.clip_by_value(images, 0.0, 255.0)


def by_loops(images: Any, augmentation: Augmentation, draws: Draws) -> Any:
    """See :func:`augment`; with compiled loops."""
    tf = load_tensorflow()
    factors, shifts = _factors(augmentation, draws)[:, 0], _shifts(augmentation, draws)[:, 0]
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=draws.fold(3).seed)
    changed = tf.numpy_function(
        change,
        [
            images,
            _maps(augmentation, draws.fold(0), *images.shape[1:3]),
            factors if augmentation.contrast else factors[:0],
            shifts,
            tf.constant(255 * augmentation.noise, tf.float32),
            *(key, counter, draws.rows),
        ],
        tf.float32,
        stateful=False,
    )
    return tf.ensure_shape(changed, images.shape)


def _factors(augmentation: Augmentation, draws: Draws) -> Any:
    """(b, 1) factors of the contrast."""
    return 1 + augmentation.contrast * _either_way(draws.fold(1), 1)


def _shifts(augmentation: Augmentation, draws: Draws) -> Any:
    """(b, 1) shifts of the values by the brightness."""
    return 255 * augmentation.brightness * _either_way(draws.fold(2), 1)


def _moved(images: Any, augmentation: Augmentation, draws: Draws) -> Any:
    """Resample each image by its own affine map, bilinearly; the image is mirrored at its edges."""
    tf = load_tensorflow()
    height, width = images.shape[1:3]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_maps(augmentation, draws, height, width),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _maps(augmentation: Augmentation, draws: Draws, height: int, width: int) -> Any:
    """(b, 8) maps from the pixels of the result to the pixels of the image, as the operation needs them.

    Around the center: rotated, scaled on each axis, mirrored, then shifted; lengths in pixels.
    """
    tf = load_tensorflow()
    angle = 2 * math.pi * augmentation.rotation * _either_way(draws.fold(0), 1)[:, 0]
    scale_x, scale_y, room_x, room_y = _view(augmentation, draws)
    drift = augmentation.translation * _either_way(draws.fold(1), 2) + _either_way(draws.fold(2), 2) * tf.stack(
        [room_x, room_y], axis=1
    )
    mirrored = tf.where(draws.fold(3).uniform() < 0.5, -1.0, 1.0) if augmentation.flip else tf.ones_like(angle)
    a, b = mirrored * scale_x * tf.cos(angle), -mirrored * scale_x * tf.sin(angle)
    c, d = scale_y * tf.sin(angle), scale_y * tf.cos(angle)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    shift_x = middle_x - a * middle_x - b * middle_y + drift[:, 0] * width
    shift_y = middle_y - c * middle_x - d * middle_y + drift[:, 1] * height
    zeros = tf.zeros_like(angle)
    return tf.stack([a, b, shift_x, c, d, shift_y, zeros, zeros], axis=1)


def _view(augmentation: Augmentation, draws: Draws) -> tuple[Any, Any, Any, Any]:
    """The shares of width and height that are shown, and the largest shifts of their center within the image."""
    tf = load_tensorflow()
    numbers = draws.fold(4).uniform((2,))
    zoom = 1 + augmentation.zoom * _either_way(draws.fold(5), 1)[:, 0]
    side = tf.sqrt(augmentation.area + (1 - augmentation.area) * numbers[:, 0])
    stretch = tf.exp(0.5 * math.log(augmentation.stretch) * (2 * numbers[:, 1] - 1))
    shown_x, shown_y = tf.minimum(side * stretch, 1.0), tf.minimum(side / stretch, 1.0)
    return zoom * shown_x, zoom * shown_y, (1 - shown_x) / 2, (1 - shown_y) / 2


def _either_way(draws: Draws, count: int) -> Any:
    """(b, count), uniform between -1 and 1."""
    return 2 * draws.uniform((count,)) - 1

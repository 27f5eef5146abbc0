"""Augmentation: photographs changed at random, in ways that leave their class what it is.

What is done is data; how much of it each photograph gets is drawn anew in each step. Everything that moves pixels is
one affine map, so that an image is resampled once however many of them there are.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from simtool.images.preprocessing import PreprocessingError
from simtool.tensorflow import load_tensorflow

__all__ = ["AUGMENTATIONS", "Augmentation", "augment"]


class _Draws(Protocol):
    """Random numbers per example (see ``simtool.training.draws``)."""

    def fold(self, number: int) -> _Draws: ...
    def uniform(self, shape: tuple[int, ...] = ...) -> Any: ...
    def normal(self, shape: tuple[int, ...] = ...) -> Any: ...


@dataclass(frozen=True)
class Augmentation:
    """How far photographs are changed. Every amount is drawn uniformly, for each photograph on its own.

    Attributes:
        flip: mirror left and right, every other time.
        rotation: up to so many full turns either way.
        translation: up to this share of height and width, either way.
        zoom: up to this share closer or farther.
        area: of the photograph, the least share that is shown (Szegedy et al., 2015); 1 for all of it.
        stretch: up to this factor between width and height of what is shown.
        contrast: up to this share more or less, around the mean of each channel.
        brightness: up to this share of white is added or taken off.
        noise: standard deviation of what is added to each value, as a share of white.
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
                    f"the {name} of an augmentation is at least 0 and below 1, not {getattr(self, name)}"
                )
        if not 0 < self.area <= 1:
            raise PreprocessingError(f"an augmentation shows an area above 0 and at most 1, not {self.area}")
        if not 1 <= self.stretch <= 4:
            raise PreprocessingError(f"an augmentation stretches by a factor from 1 to 4, not {self.stretch}")

    @property
    def moves(self) -> bool:
        """Whether any pixel moves."""
        return self.flip or any((self.rotation, self.translation, self.zoom, 1 - self.area, self.stretch - 1))

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON."""
        return asdict(self)


#: ``study``: what the original study lists (flip, contrast, rotation, translation, zoom, noise); the amounts, which it
#: does not publish, are ours. ``field``: what classifiers are usually trained with. ``flip``: what keeps a photograph
#: a photograph, for models of density. ``none``: nothing.
AUGMENTATIONS: dict[str, Augmentation] = {
    "study": Augmentation(flip=True, rotation=0.05, translation=0.1, zoom=0.1, contrast=0.2, noise=0.02),
    "field": Augmentation(flip=True, area=0.35, stretch=4 / 3, contrast=0.3, brightness=0.15),
    "flip": Augmentation(flip=True),
    "none": Augmentation(),
}


def augment(images: Any, augmentation: Augmentation, draws: _Draws) -> Any:
    """Change a batch of photographs at random. For use inside a graph.

    Args:
        images: (b, height, width, 3) from 0 to 255, of any type.
        augmentation: how far.
        draws: where the random numbers come from.

    Returns:
        (b, height, width, 3) float32 from 0 to 255.
    """
    tf = load_tensorflow()
    images = tf.cast(images, tf.float32)
    if augmentation.moves:
        images = _moved(images, augmentation, draws.fold(0))
    if augmentation.contrast:
        factor = 1 + augmentation.contrast * _either_way(draws.fold(1), 1)
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        images = mean + (images - mean) * factor[:, :, tf.newaxis, tf.newaxis]
    if augmentation.brightness:
        images += 255 * augmentation.brightness * _either_way(draws.fold(2), 1)[:, :, tf.newaxis, tf.newaxis]
    if augmentation.noise:
        images += 255 * augmentation.noise * draws.fold(3).normal(tuple(images.shape[1:]))
    return tf.clip_by_value(images, 0.0, 255.0)


def _moved(images: Any, augmentation: Augmentation, draws: _Draws) -> Any:
    """Resample each image by its own affine map, bilinearly; beyond its edge it is mirrored."""
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


def _maps(augmentation: Augmentation, draws: _Draws, height: int, width: int) -> Any:
    """(b, 8) maps from the pixels that are shown to those of the photograph, as the operation wants them.

    Around the center: turned by an angle, scaled on each axis, mirrored, then moved; lengths in pixels.
    """
    tf = load_tensorflow()
    angle = 2 * math.pi * augmentation.rotation * _either_way(draws.fold(0), 1)[:, 0]
    scale_x, scale_y, room_x, room_y = _view(augmentation, draws)
    drift = augmentation.translation * _either_way(draws.fold(1), 2) + _either_way(draws.fold(2), 2) * tf.stack(
        [room_x, room_y], axis=1
    )
    mirrored = tf.sign(draws.fold(3).uniform() - 0.5) if augmentation.flip else tf.ones_like(angle)
    a, b = mirrored * scale_x * tf.cos(angle), -mirrored * scale_x * tf.sin(angle)
    c, d = scale_y * tf.sin(angle), scale_y * tf.cos(angle)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    shift_x = middle_x - a * middle_x - b * middle_y + drift[:, 0] * width
    shift_y = middle_y - c * middle_x - d * middle_y + drift[:, 1] * height
    zeros = tf.zeros_like(angle)
    return tf.stack([a, b, shift_x, c, d, shift_y, zeros, zeros], axis=1)


def _view(augmentation: Augmentation, draws: _Draws) -> tuple[Any, Any, Any, Any]:
    """The share of width and of height that is shown, and how far its middle can move either way without leaving."""
    tf = load_tensorflow()
    numbers = draws.fold(4).uniform((2,))
    zoom = 1 + augmentation.zoom * _either_way(draws.fold(5), 1)[:, 0]
    side = tf.sqrt(augmentation.area + (1 - augmentation.area) * numbers[:, 0])
    stretch = tf.exp(0.5 * math.log(augmentation.stretch) * (2 * numbers[:, 1] - 1))
    shown_x, shown_y = tf.minimum(side * stretch, 1.0), tf.minimum(side / stretch, 1.0)
    return zoom * shown_x, zoom * shown_y, (1 - shown_x) / 2, (1 - shown_y) / 2


def _either_way(draws: _Draws, count: int) -> Any:
    """(b, count), uniform between -1 and 1."""
    return 2 * draws.uniform((count,)) - 1

"""The steps of a preprocessing as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from simtool.images.preprocessing import CentralCrop, Divide, Preprocessing, Resize, ReverseChannels, Step, Subtract
from simtool.pillow import MOST_PIXELS
from simtool.tensorflow import load_tensorflow

__all__ = ["Transform", "transform", "transform_colors"]

_TOO_LONG = "too long and narrow for the size of the preprocessing, which keeps the aspect ratio"
#: From an image tensor to an image tensor.
Transform = Callable[[Any], Any]


def transform(preprocessing: Preprocessing) -> Transform:
    """The function that carries out a preprocessing, with equal bits inside a graph and eagerly.

    Every number of the preprocessing is a tensor that is made here, outside of any graph. A graph captures such a
    tensor. A constant inside the graph would be folded: a division by 255 would become a multiplication by 1/255,
    whose last bit differs.

    Returns:
        From (height, width, 3) uint8 to ``preprocessing.shape`` float32.
    """
    tf = load_tensorflow()
    carried_out = _in_order(preprocessing.steps)
    return lambda image: tf.ensure_shape(tf.cast(carried_out(image), tf.float32), preprocessing.shape)


def transform_colors(preprocessing: Preprocessing) -> Transform:
    """The steps that do the same to each pixel, for batches of images that are cropped and resized already.

    Returns:
        From (b, height, width, 3) of any type to float32 of the same shape.
    """
    tf = load_tensorflow()
    carried_out = _in_order(preprocessing.colors)
    return lambda images: carried_out(tf.cast(images, tf.float32))


def _in_order(steps: Sequence[Step]) -> Transform:
    """The operations of some steps, one after the other."""
    tf = load_tensorflow()
    with tf.init_scope():
        operations = [_operation(step, tf) for step in steps]
    return lambda image: reduce(lambda changed, operation: operation(changed), operations, image)


def _operation(step: Step, tf: Any) -> Transform:
    if isinstance(step, CentralCrop):
        return _crop(step, tf)
    if isinstance(step, Resize):
        return _resize(step, tf)
    if isinstance(step, ReverseChannels):
        return lambda image: image[..., ::-1]
    numbers = tf.constant(np.array(step.by if isinstance(step, Divide) else step.values, np.float32))
    if isinstance(step, Subtract):
        return lambda image: tf.cast(image, tf.float32) - numbers
    return lambda image: tf.cast(image, tf.float32) / numbers


def _crop(step: CentralCrop, tf: Any) -> Transform:
    # In float64, as tf.image.central_crop computes on a known shape. On an unknown shape, as in a graph, it rounds the
    # fraction to float32 first, and the crop of many images is one pixel larger.
    fraction = tf.constant(step.fraction, tf.float64)

    def crop(image: Any) -> Any:
        size = tf.shape(image)[:2]
        sides = tf.cast(size, tf.float64)
        top, left = tf.unstack(tf.cast((sides - sides * fraction) / 2, tf.int32))
        return image[top : size[0] - top, left : size[1] - left]

    return crop


def _resize(step: Resize, tf: Any) -> Transform:
    target = tf.constant([step.height, step.width])

    def stretch(image: Any) -> Any:
        return tf.image.resize(image, target, antialias=step.antialias)

    def cover(image: Any) -> Any:
        sides = tf.cast(tf.shape(image)[:2], tf.float64)
        scale = tf.reduce_max(tf.cast(target, tf.float64) / sides)
        fits = tf.debugging.assert_less_equal(
            tf.reduce_prod(sides * scale), tf.constant(MOST_PIXELS, tf.float64), _TOO_LONG
        )
        with tf.control_dependencies([fits]):
            larger = tf.maximum(target, tf.cast(tf.round(sides * scale), tf.int32))
        top, left = tf.unstack((larger - target) // 2)
        resized = tf.image.resize(image, larger, antialias=step.antialias)
        return resized[top : top + target[0], left : left + target[1]]

    return stretch if step.aspect == "stretch" else cover

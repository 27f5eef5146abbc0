"""The steps of a preprocessing that change colors, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simtool.images.preprocessing import Preprocessing
from simtool.images.steps import numbers_of, recolored
from simtool.tensorflow import load_tensorflow

__all__ = ["transform_colors"]


def transform_colors(preprocessing: Preprocessing) -> Callable[[Any], Any]:
    """The steps that do the same to each pixel, for batches of images that are cropped and resized already.

    Every number of the preprocessing is a tensor that is made here, outside of any graph. A graph captures such a
    tensor. A constant inside the graph would be folded: a division by 255 would become a multiplication by 1/255,
    whose last bit differs.

    Returns:
        From (b, height, width, 3) of any type to float32 of the same shape.
    """
    tf = load_tensorflow()
    with tf.init_scope():
        steps = [(step, tf.constant(numbers_of(step))) for step in preprocessing.colors]

    def transform(images: Any) -> Any:
        values = tf.cast(images, tf.float32)
        for step, numbers in steps:
            values = recolored(values, step, numbers)
        return values

    return transform

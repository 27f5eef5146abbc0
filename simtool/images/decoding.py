"""From the bytes of an image file to RGB: three channels of bytes, for every supported format.

TensorFlow decodes JPEG files with the accurate inverse cosine transform, which equals Pillow bit for bit (the default
transform differs by up to 16 levels). Pillow decodes all other files, and JPEG files with an EXIF orientation: the
first frame of an animation, the upper 8 of 16 bits, transparent pixels on a background, upright.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simtool.pillow import WHITE, ImageError, decode_rgb, needs_pillow
from simtool.tensorflow import load_tensorflow

__all__ = ["ImageError", "decode_rgb", "decode_tensor"]

_JPEG = b"\xff\xd8\xff"


def decode_tensor(data: Any, background: tuple[int, int, int] = WHITE) -> Any:
    """Decode an image inside a TensorFlow graph.

    Args:
        data: scalar string tensor, the content of a file.
        background: the color behind transparent pixels, from 0 to 255.

    Returns:
        (height, width, 3) uint8 tensor. A corrupt image raises when it is evaluated.
    """
    tf = load_tensorflow()
    image = tf.cond(
        tf.numpy_function(_is_plain_jpeg, [data], tf.bool),
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE", try_recover_truncated=False),
        lambda: tf.numpy_function(lambda data: decode_rgb(_content(data), background), [data], tf.uint8),
    )
    return tf.ensure_shape(image, (None, None, 3))


def _is_plain_jpeg(data: Any) -> np.bool_:
    content = _content(data)
    return np.bool_(content.startswith(_JPEG) and not needs_pillow(content))


def _content(data: Any) -> bytes:
    """TensorFlow hands over bytes inside a graph, and an array outside of it."""
    return data if isinstance(data, bytes) else bytes(data.tobytes())

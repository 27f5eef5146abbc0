"""From the bytes of an image file to RGB: three channels of bytes, whatever the file holds.

JPEG files are decoded by TensorFlow with the accurate inverse cosine transform, which equals Pillow bit for bit;
its default differs by up to 16 levels. Everything else is decoded by Pillow: of an animation the first frame, of
16 bits the upper 8, without the alpha channel. Pixels are taken as stored; an EXIF orientation is not applied.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError
from simtool.tensorflow import load_tensorflow

__all__ = ["ImageError", "decode_rgb", "decode_tensor"]

_JPEG = b"\xff\xd8\xff"


class ImageError(SimtoolError):
    """An image cannot be read; the message says why."""


def decode_tensor(data: Any) -> Any:
    """Decode an image inside a TensorFlow graph.

    Args:
        data: scalar string tensor, the content of a file.

    Returns:
        (height, width, 3) uint8 tensor. A corrupt image raises when it is evaluated.
    """
    tf = load_tensorflow()
    image = tf.cond(
        tf.strings.substr(data, 0, len(_JPEG)) == _JPEG,
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE", try_recover_truncated=False),
        lambda: tf.numpy_function(decode_rgb, [data], tf.uint8),
    )
    return tf.ensure_shape(image, (None, None, 3))


def decode_rgb(data: bytes) -> NDArray[np.uint8]:
    """Decode an image of any format that Pillow knows.

    Args:
        data: the content of a file.

    Returns:
        (height, width, 3) red, green and blue.

    Raises:
        ImageError: the content is no image, or is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageError("the file is empty")
    try:
        with Image.open(io.BytesIO(data)) as image:
            deep = image.mode.startswith(("I", "F"))
            return _upper_byte(np.array(image)) if deep else np.array(image.convert("RGB"))
    except UnidentifiedImageError as failure:
        raise ImageError("not an image of a known format") from failure
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as failure:
        raise ImageError(str(failure) or "damaged") from failure


def _upper_byte(gray: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit gray as RGB bytes. Pillow's own conversion clips at 255 instead."""
    if not np.issubdtype(gray.dtype, np.integer) or gray.min() < 0 or gray.max() > 0xFFFF:
        raise ImageError(f"gray levels of {gray.dtype} from {gray.min()} to {gray.max()} do not fit 16 bits")
    return np.repeat((gray >> 8).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)

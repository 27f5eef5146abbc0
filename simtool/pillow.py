"""Pillow, restricted to the formats and sizes that simtool reads. Decoded images are upright and opaque.

Every image file is opened here, by its content and not by its name, so that no file reaches another decoder of Pillow,
which may start another program.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from simtool.errors import SimtoolError
from simtool.kinds import Expected, What, advice, kind_of_content

__all__ = ["FORMATS", "MOST_PIXELS", "SUFFIXES", "WHITE", "ImageError", "decode_rgb", "upright_size"]

#: The formats that are read, by their names in Pillow.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
#: The suffixes of files that are looked for as images of these formats.
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
)
#: Images with more pixels are refused. The limit is that of Pillow.
MOST_PIXELS = 178_956_970

_TOO_LARGE = f"more than {MOST_PIXELS / 1e6:.0f} megapixels; save it smaller"

WHITE = (255, 255, 255)

#: Bytes that are read to identify a file that is not an image.
_START = 1 << 16
#: Bytes of a PNG's EXIF that are read.
_LONGEST_EXIF = 1 << 20
_PHOTOMETRIC = 262  # TIFF's PhotometricInterpretation
_PNG = b"\x89PNG\r\n\x1a\n"

#: How to turn (height, width, 3) pixels, by the EXIF orientation of their file; 1 is upright.
_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
_ON_THEIR_SIDE = (5, 6, 7, 8)


# Pillow warns of sizes below the limit and of unusual tags. Set once, because threads share the filters.
warnings.filterwarnings("ignore", module=r"PIL\.")


class ImageError(SimtoolError):
    """An image cannot be read; the message says why."""


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Image.Image]:
    """Open an image; every failure in the body becomes an error with a short reason."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise ImageError(_TOO_LARGE)
            image.info.pop("xmp", None)  # Pillow would turn a TIFF by it, but not state the size after the turn
            yield image
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as failure:
        raise ImageError(_other_kind(file)) from failure
    except Image.DecompressionBombError as failure:
        raise ImageError(_TOO_LARGE) from failure
    except Exception as failure:  # damaged files make Pillow's readers raise exceptions of many types
        raise ImageError(_reason(failure)) from failure


def _reason(failure: Exception) -> str:
    text = " ".join(str(failure).split())
    if "PngImagePlugin.MAX_TEXT" in text:
        return "a text in it is too long after unpacking; save it without texts"
    if "truncated" in text.lower():
        return text
    return f"damaged, or a variant that simtool does not read ({text or type(failure).__name__})"


def _other_kind(file: IO[bytes]) -> str:
    """The kind of a file that Pillow does not recognise."""
    file.seek(0)
    kind = kind_of_content(file.read(_START))
    if kind.what is What.EMPTY:
        return "the file is empty"
    named = f"{kind.what} {kind.detail}".strip()  # not its damage: the end was not read
    if kind.what is What.FOREIGN_IMAGE:
        return f"{named}; save it as JPEG or PNG"
    if kind.what is What.IMAGE:
        return f"{named} whose header is damaged or cut off"
    if kind.what in (What.OTHER, What.TEXT):
        return "not an image of a known format"
    return f"not an image but {kind.what}; {advice(kind, Expected.IMAGE)}"


def decode_rgb(data: bytes, background: tuple[int, int, int] = WHITE) -> NDArray[np.uint8]:
    """Decode an image, turn it upright by its EXIF orientation, and put a background behind transparent pixels.

    Args:
        data: the content of a file.
        background: red, green and blue from 0 to 255.

    Returns:
        (height, width, 3) red, green and blue.

    Raises:
        ImageError: the content is not an image, is damaged, or has too many pixels.
    """
    file = io.BytesIO(data)
    with _opened(file) as image:
        orientation = _orientation(image, file)
        pixels = _deep(image, background) if image.mode.startswith(("I", "F")) else _shallow(image, data, background)
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def upright_size(file: IO[bytes]) -> tuple[int, int]:
    """Width and height of an upright image, from its header.

    Args:
        file: an open image file.

    Raises:
        ImageError: it is not an image, its header is damaged, or it has too many pixels.
    """
    with _opened(file) as image:
        width, height = image.size
        return (height, width) if _orientation(image, file) in _ON_THEIR_SIDE else (width, height)


def _orientation(image: Image.Image, file: IO[bytes]) -> int:
    """The EXIF orientation to apply, from 1 to 8; 1 if the file states no valid orientation."""
    if image.format == "TIFF":
        return 1  # Pillow turns TIFF files itself
    content = _png_exif(file) if image.format == "PNG" else image.info.get("exif")
    if not content:
        return 1
    exif = Image.Exif()
    try:
        exif.load(content)
        found = exif.get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF does not make an image unusable
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def _png_exif(file: IO[bytes]) -> bytes | None:
    """The EXIF of a PNG, before or after its pixels; Pillow reads EXIF after the pixels only when it decodes them."""
    place = file.tell()
    try:
        file.seek(len(_PNG))
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(length) if length <= _LONGEST_EXIF else None
            if kind == b"IEND":
                break
            file.seek(length + 4, io.SEEK_CUR)
        return None
    finally:
        file.seek(place)


def _shallow(image: Image.Image, data: bytes, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """An image that Pillow opens with 8 bits per channel or fewer."""
    raw = _raw_mode(image)
    image.load()
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    key = image.info.get("transparency")
    if raw == "RGB;16B" and isinstance(key, tuple):
        clear = _equals(_low_bytes(data), [value & 0xFF for value in key])
        return _filled(np.array(image), clear & _equals(np.array(image), [value >> 8 for value in key]), background)
    if image.mode in ("1", "L") and isinstance(key, int):
        gray = np.array(image.convert("L"))
        # Pillow stretches gray levels of few bits to 255, but not the transparent level, or not in every version.
        level = 255 * bool(key) if image.mode == "1" else key * {"L;2": 85, "L;4": 17}.get(raw, 1)
        return _filled(_gray_to_rgb(gray), gray == level, background)
    ground = Image.new("RGBA", image.size, background)
    straight = image.convert("LA") if image.mode == "La" else image
    return np.array(Image.alpha_composite(ground, straight.convert("RGBA")).convert("RGB"))


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name for the storage of the pixels in the file; it is known until the pixels are loaded."""
    tiles = getattr(image, "tile", [])
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) else args)


def _low_bytes(data: bytes) -> NDArray[np.uint8]:
    """The lower bytes of a PNG of 16 bits per color; Pillow returns the upper bytes."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
        return np.array(image)


def _deep(image: Image.Image, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """16-bit gray as RGB bytes: the upper 8 bits. Pillow's own conversion clips at 255 instead."""
    bits = 12 if _raw_mode(image) == "I;12" else 16
    gray = np.array(image)
    if not np.issubdtype(gray.dtype, np.integer) or gray.min() < 0 or gray.max() > 0xFFFF:
        raise ImageError(f"gray levels of {gray.dtype} from {gray.min()} to {gray.max()} do not fit 16 bits")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0:
        gray = (1 << bits) - 1 - gray  # 0 is white; Pillow inverts only 8 bits
    pixels = _gray_to_rgb((gray >> (bits - 8)).astype(np.uint8))
    key = image.info.get("transparency")
    return _filled(pixels, gray == key, background) if isinstance(key, int) else pixels


def _gray_to_rgb(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(gray[:, :, np.newaxis], 3, axis=2)


def _equals(pixels: NDArray[np.uint8], color: list[int]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = (pixels == np.array(color)).all(axis=2)
    return equal


def _filled(pixels: NDArray[np.uint8], clear: NDArray[np.bool_], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    pixels[clear] = background
    return pixels

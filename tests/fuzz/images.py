"""Image files of every mode and format, with faults in their headers."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simtool.collections.folder import Index, index_folder
from simtool.pillow import decode_rgb
from tests.fuzz import values
from tests.fuzz.case import Door, Judge, Made

__all__ = ["DOORS", "encoded", "picture"]

_MODES = ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB", "HSV", "PA")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "ICO", "TGA", "PCX", "ICNS", "SGI", "EPS", "PDF", "DDS")
#: Formats that keep every pixel.
_EXACT = ("PNG", "BMP", "TIFF", "PPM")


def picture(chance: Random, width: int = 20, height: int = 16) -> NDArray[np.uint8]:
    """Pixels (height, width, 3)."""
    noise = np.frombuffer(chance.randbytes(width * height * 3), np.uint8)
    return noise.reshape(height, width, 3)


def encoded(pixels: NDArray[np.uint8], mode: str, kind: str, **options: Any) -> bytes:
    """An image file of pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


def _sizes_in_header(content: bytes, chance: Random) -> bytes:
    """The same file with another size in its header."""
    data = bytearray(content)
    side = chance.choice((0, 1, 15, 17, 40_000, 65_535, 2**31 - 1, 2**31, 2**32 - 1))
    if content.startswith(b"\x89PNG"):
        data[chance.choice((16, 20)) :][:4] = b""
        at = chance.choice((16, 20))
        data = bytearray(content)
        data[at : at + 4] = struct.pack(">I", side)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif content.startswith(b"BM"):
        at = chance.choice((18, 22))
        data[at : at + 4] = struct.pack("<I", side)
    elif (at := content.find(b"\xff\xc0")) > 0:
        at += chance.choice((5, 7))
        data[at : at + 2] = struct.pack(">H", side & 0xFFFF)
    elif content.startswith(b"GIF"):
        data[6:8] = struct.pack("<H", side & 0xFFFF)
    elif content[:1] == b"P":
        return content.replace(b"20 16", f"{side} 16".encode())
    return bytes(data)


def _exif(chance: Random) -> bytes:
    """Metadata of a camera, or data that only starts like it."""
    known = Image.Exif()
    known[0x0112] = chance.choice((1, 3, 6, 8, 0, 9, 65535))
    good = known.tobytes()
    return chance.choice((good, good[:-3], b"Exif\0\0" + chance.randbytes(30), b"Exif\0\0II*\0\xff\xff\xff\xff", b"x"))


def _structured(chance: Random, folder: Path) -> Made:
    way = chance.choice(("mode", "mode", "header", "exif", "truncated", "other", "exact", "chunk", "huge"))
    pixels, path = picture(chance), folder / "picture.jpg"
    expected: NDArray[np.uint8] | None = None
    kind = chance.choice(_EXACT if way == "exact" else _FORMATS[:7])
    content = encoded(pixels, "RGB", kind)
    if way == "exact":
        expected = pixels
    elif way == "mode":
        kind, content = _of_mode(chance, pixels)
    elif way == "header":
        content = _sizes_in_header(content, chance)
    elif way == "exif":
        kind, content = "JPEG", encoded(pixels, "RGB", "JPEG", exif=_exif(chance))
    elif way == "truncated":
        content = content[: chance.randrange(len(content))]
    elif way == "other":
        content = chance.choice(
            (
                b"",
                b"GIF89a",
                b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
                b"<svg/>",
                b"\0" * 500,
                b"P6\n-1 5\n255\n",
            )
        )
    elif way == "chunk":
        kind, content = "PNG", _with_chunk(encoded(pixels, "RGB", "PNG"), chance)
    else:
        kind, content = "PNG", _huge(chance)
    path.write_bytes(content)
    return Made(path, f"{way}, {kind}", _judge(expected), way == "exact", (path,))


def _of_mode(chance: Random, pixels: NDArray[np.uint8]) -> tuple[str, bytes]:
    while True:
        mode, kind = chance.choice(_MODES), chance.choice(_FORMATS)
        try:
            return f"{mode} {kind}", encoded(pixels, mode, kind)
        except (OSError, ValueError, KeyError):
            continue


def _with_chunk(content: bytes, chance: Random) -> bytes:
    """A PNG with one more chunk after its header."""
    name = chance.choice((b"tEXt", b"iCCP", b"zTXt", b"gAMA", b"eXIf", b"tRNS", b"PLTE", b"acTL", b"IHDR", b"xXxX"))
    body = chance.choice((b"", b"a", b"\0" * 13, values.text(chance).encode(), b"a\0\0" + zlib.compress(bytes(10**6))))
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return content[:33] + chunk + content[33:]


def _huge(chance: Random) -> bytes:
    """A PNG of few bytes that has many pixels, or claims to have them."""
    width = chance.choice((30_000, 13_000, 200_000))
    header = struct.pack(">IIBBBBB", width, width, chance.choice((1, 8)), chance.choice((0, 3)), 0, 0, 0)
    body = b""
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")):
        body += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return b"\x89PNG\r\n\x1a\n" + body


def _judge(expected: NDArray[np.uint8] | None) -> Judge:
    def judge(found: NDArray[np.uint8]) -> str | None:
        if found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3 or not found.size:
            return f"{found.dtype} of shape {found.shape}"
        return None if expected is None or np.array_equal(found, expected) else "other pixels"

    return judge


def _valid(chance: Random, folder: Path) -> Made:
    path = folder / "picture.jpg"
    path.write_bytes(_of_mode(chance, picture(chance))[1])
    return Made(path, judge=_judge(None), files=(path,))


def _decode(made: Made) -> NDArray[np.uint8]:
    try:
        return decode_rgb(made.path.read_bytes())
    except Exception as failure:
        # The decoder of bytes does not know the file; its callers name it.
        if not hasattr(failure, "exit_code"):
            raise
        raise type(failure)(f"{made.path}: {failure}") from failure


def _folder(chance: Random, folder: Path) -> Made:
    """A folder of images in which some files are unusual."""
    path = folder / "images"
    for at in range(chance.choice((1, 3))):
        file = path / chance.choice(("", "a", "a/b", "train/x", "\N{GRINNING FACE}")) / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture(chance), "RGB", "PNG"))
    odd = chance.choice(("bad", "name", "link", "loop", "pipe", "none", "empty", "other"))
    target = path / f"{odd}.jpg"
    path.mkdir(exist_ok=True)
    if odd == "bad":
        _structured(chance, path)
    elif odd == "name":
        (path / f"{values.text(chance)[:50].replace('/', '_').replace(chr(0), '_')}.png").write_bytes(
            encoded(picture(chance), "RGB", "PNG")
        )
    elif odd == "link":
        target.symlink_to(chance.choice(("nowhere", "/dev/null", "..", "bad.jpg")))
    elif odd == "loop":
        (path / "loop").symlink_to(path)
    elif odd == "empty":
        target.write_bytes(b"")
    elif odd == "other":
        target.write_bytes(b"not an image")
    return Made(path, odd, _judge_index(path), other=chance.random() < 0.5)


def _judge_index(folder: Path) -> Judge:
    def judge(found: Index) -> str | None:
        for name, width in zip(found.images.image_id, found.images.width, strict=True):
            if not (folder / name).is_file() or width < 1:
                return f"{name} of width {width}"
        return "an id twice" if len(set(found.images.image_id)) != len(found.images) else None

    return judge


DOORS = (
    Door("images", _decode, _structured, _valid, (1200, 700)),
    Door(
        "folders",
        lambda made: index_folder(made.path, made.path.parent / "t.parquet", skip_bad=made.other),
        _folder,
        None,
        (400, 0),
    ),
)

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from simtool.images.decoding import ImageError, decode_rgb, decode_tensor
from tests.photographs import draw

PICTURE = draw(0)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def by_tensorflow(data: bytes) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = decode_tensor(data).numpy()
    return pixels


DECODERS = pytest.mark.parametrize("decode", [decode_rgb, by_tensorflow])
Decoder = Callable[[bytes], NDArray[np.uint8]]


@DECODERS
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_their_pixels(decode: Decoder, kind: str) -> None:
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(PICTURE), kind)), PICTURE)


@DECODERS
def test_content_decides_and_a_trailing_zero_is_kept(decode: Decoder) -> None:
    black = np.zeros((3, 5, 3), np.uint8)
    data = encoded(Image.fromarray(black), "BMP")
    assert data.endswith(b"\0")
    np.testing.assert_array_equal(decode(data), black)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_equals_pillow_bit_for_bit(mode: str, subsampling: int) -> None:
    image = Image.fromarray(draw(3, 67, 45)).convert(mode)
    data = encoded(image, "JPEG", quality=80, **({} if mode == "L" else {"subsampling": subsampling}))
    np.testing.assert_array_equal(by_tensorflow(data), np.array(Image.open(io.BytesIO(data)).convert("RGB")))


@DECODERS
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_gray_becomes_three_equal_channels(decode: Decoder, kind: str) -> None:
    gray = decode(encoded(Image.fromarray(PICTURE).convert("L"), kind))
    assert gray.shape == PICTURE.shape
    assert (gray == gray[..., :1]).all()
    assert gray.std() > 10


@DECODERS
@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_a_palette_becomes_its_colors(decode: Decoder, kind: str) -> None:
    image = Image.fromarray(PICTURE).quantize(16)
    np.testing.assert_array_equal(decode(encoded(image, kind)), np.array(image.convert("RGB")))


@DECODERS
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_opaque_alpha_changes_no_bit(decode: Decoder, kind: str) -> None:
    alpha = np.full((*PICTURE.shape[:2], 1), 255, np.uint8)
    data = encoded(Image.fromarray(np.concatenate([PICTURE, alpha], axis=2)), kind, lossless=True)
    np.testing.assert_array_equal(decode(data), PICTURE)


@DECODERS
def test_transparent_pixels_show_white_whatever_color_hides_there(decode: Decoder) -> None:
    disc = np.linalg.norm(np.indices((40, 56)) - 20, axis=0) < 15
    shown = np.where(disc[..., None], PICTURE, 255)
    for hidden in (0, 255, PICTURE[::-1]):
        colors = np.where(disc[..., None], PICTURE, hidden).astype(np.uint8)
        image = Image.fromarray(np.dstack([colors, np.where(disc, 255, 0).astype(np.uint8)]))
        np.testing.assert_array_equal(decode(encoded(image, "PNG")), shown)


def test_the_background_can_be_another_color_in_both_decoders() -> None:
    data = encoded(Image.new("RGBA", (3, 2), (200, 0, 0, 0)), "PNG")
    assert (decode_rgb(data, (1, 2, 3)) == [1, 2, 3]).all()
    assert (decode_tensor(data, (1, 2, 3)).numpy() == [1, 2, 3]).all()


TURNED = [(kind, orientation) for kind in ("JPEG", "PNG", "WEBP", "TIFF") for orientation in range(1, 9)]


@DECODERS
@pytest.mark.parametrize(("kind", "orientation"), TURNED)
def test_images_are_turned_upright(decode: Decoder, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(Image.fromarray(PICTURE), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode(data), expected)


@DECODERS
def test_of_an_animation_the_first_frame_counts(decode: Decoder) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(data) == [255, 0, 0]).all()


@DECODERS
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_16_bits_the_upper_8_count(decode: Decoder, kind: str) -> None:
    deep = (np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64)
    pixels = decode(encoded(Image.fromarray(deep), kind))
    np.testing.assert_array_equal(pixels, np.repeat((deep >> 8).astype(np.uint8)[..., np.newaxis], 3, axis=2))


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_16_bit_color_counts_with_its_upper_8_too() -> None:
    line = b"\0" + struct.pack(">6H", 0x12FF, 0x3400, 0x5680, 0xFFFF, 0, 0x00FF)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = _png((b"IHDR", header), (b"IDAT", zlib.compress(line)), (b"IEND", b""))
    assert decode_rgb(data).tolist() == [[[0x12, 0x34, 0x56], [0xFF, 0, 0]]]


def test_floating_gray_levels_are_an_error() -> None:
    with pytest.raises(ImageError, match="float32"):
        decode_rgb(encoded(Image.fromarray(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)), "TIFF"))


JPEG = encoded(Image.fromarray(PICTURE), "JPEG")


@pytest.mark.parametrize("lost", [1, 2, 10, len(JPEG) // 2])
def test_a_truncated_jpeg_is_an_error_for_both_decoders(lost: int) -> None:
    with pytest.raises(ImageError, match=r"(?i)truncated"):
        decode_rgb(JPEG[:-lost])
    with pytest.raises(Exception, match=r"Invalid JPEG|(?i:truncated)"):
        by_tensorflow(JPEG[:-lost])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "the file is empty"),
        (b"<html>Not found</html>", "not an image but a web page"),
        (JPEG[:3], r"an image \(JPEG\) whose header is damaged or cut off"),
        (encoded(Image.fromarray(PICTURE), "PNG")[:200], "truncated"),
        (encoded(Image.fromarray(PICTURE), "BMP")[:200], "truncated"),
    ],
)
def test_what_is_no_image_is_an_error_with_a_reason(data: bytes, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint):
        decode_rgb(data)

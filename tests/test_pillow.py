from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, TiffImagePlugin

from simtool.pillow import MOST_PIXELS, ImageError, decode_rgb, upright_size
from tests.photographs import draw

PICTURE = draw(0)
GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(depth: int, color: int, width: int, line: bytes, *others: tuple[bytes, bytes], height: int = 1) -> bytes:
    """A PNG of one line, chunk by chunk, with features that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), *others, (b"IDAT", zlib.compress(b"\0" + line)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def tiff(photometric: int, bits: int, data: bytes, width: int, samples: int = 1) -> bytes:
    """A TIFF of one line with features that Pillow does not write. With two samples, the second is alpha."""
    tags = [(256, 1, width), (257, 1, 1), (258, samples, bits | bits << 16 if samples > 1 else bits)]
    tags += [(259, 1, 1), (262, 1, photometric), (273, 1, 0), (277, 1, samples), (278, 1, 1), (279, 1, len(data))]
    tags += [(338, 1, 1)] if samples > 1 else []
    place = 8 + 2 + 12 * len(tags) + 4
    entries = (struct.pack("<HHII", tag, 3, count, place if tag == 273 else value) for tag, count, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4) + data


def oriented(value: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return encoded(Image.fromarray(PICTURE), kind, exif=exif)


def size(data: bytes) -> tuple[int, int]:
    return upright_size(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_their_pixels(kind: str) -> None:
    np.testing.assert_array_equal(decode_rgb(encoded(Image.fromarray(PICTURE), kind)), PICTURE)


def test_content_decides_and_a_trailing_zero_is_kept() -> None:
    black = np.zeros((3, 5, 3), np.uint8)
    data = encoded(Image.fromarray(black), "BMP")
    assert data.endswith(b"\0")
    np.testing.assert_array_equal(decode_rgb(data), black)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_gray_becomes_three_equal_channels(kind: str) -> None:
    gray = decode_rgb(encoded(Image.fromarray(PICTURE).convert("L"), kind))
    assert gray.shape == PICTURE.shape
    assert (gray == gray[..., :1]).all()
    assert gray.std() > 10


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_a_palette_becomes_its_colors(kind: str) -> None:
    image = Image.fromarray(PICTURE).quantize(16)
    np.testing.assert_array_equal(decode_rgb(encoded(image, kind)), np.array(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_opaque_alpha_changes_no_bit(kind: str) -> None:
    alpha = np.full((*PICTURE.shape[:2], 1), 255, np.uint8)
    data = encoded(Image.fromarray(np.concatenate([PICTURE, alpha], axis=2)), kind, lossless=True)
    np.testing.assert_array_equal(decode_rgb(data), PICTURE)


def test_transparent_pixels_show_white_whatever_color_hides_there() -> None:
    disc = np.linalg.norm(np.indices((40, 56)) - 20, axis=0) < 15
    shown = np.where(disc[..., None], PICTURE, 255)
    for hidden in (0, 255, PICTURE[::-1]):
        colors = np.where(disc[..., None], PICTURE, hidden).astype(np.uint8)
        image = Image.fromarray(np.dstack([colors, np.where(disc, 255, 0).astype(np.uint8)]))
        np.testing.assert_array_equal(decode_rgb(encoded(image, "PNG")), shown)


def test_the_background_can_be_another_color() -> None:
    data = encoded(Image.new("RGBA", (3, 2), (200, 0, 0, 0)), "PNG")
    assert (decode_rgb(data, (1, 2, 3)) == [1, 2, 3]).all()


TURNED = [(kind, orientation) for kind in ("JPEG", "PNG", "WEBP", "TIFF") for orientation in range(1, 9)]


@pytest.mark.parametrize(("kind", "orientation"), TURNED)
def test_images_are_turned_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(Image.fromarray(PICTURE), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode_rgb(data), expected)


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode_rgb(data) == [255, 0, 0]).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_16_bits_the_upper_8_count(kind: str) -> None:
    deep = (np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64)
    pixels = decode_rgb(encoded(Image.fromarray(deep), kind))
    np.testing.assert_array_equal(pixels, np.repeat((deep >> 8).astype(np.uint8)[..., np.newaxis], 3, axis=2))


def test_16_bit_color_counts_with_its_upper_8_too() -> None:
    line = struct.pack(">6H", 0x12FF, 0x3400, 0x5680, 0xFFFF, 0, 0x00FF)
    assert decode_rgb(png(16, RGB, 2, line)).tolist() == [[[0x12, 0x34, 0x56], [0xFF, 0, 0]]]


def test_floating_gray_levels_are_an_error() -> None:
    with pytest.raises(ImageError, match="float32"):
        decode_rgb(encoded(Image.fromarray(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)), "TIFF"))


JPEG = encoded(Image.fromarray(PICTURE), "JPEG")


@pytest.mark.parametrize("lost", [1, 2, 10, len(JPEG) // 2])
def test_a_truncated_jpeg_is_an_error(lost: int) -> None:
    with pytest.raises(ImageError, match=r"(?i)truncated"):
        decode_rgb(JPEG[:-lost])


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_image(kind: str, orientation: int) -> None:
    data = oriented(orientation, kind)
    height, width, _ = decode_rgb(data).shape
    assert size(data) == (width, height)
    assert (width > height) == (orientation < 5)


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_orientations_that_mean_nothing_are_ignored(value: int) -> None:
    assert size(oriented(value)) == (56, 40)


@settings(max_examples=60, deadline=None)
@given(
    exif=st.binary(max_size=80), kind=st.sampled_from(["JPEG", "PNG", "WEBP"]), head=st.sampled_from([b"", b"II*\0"])
)
def test_damaged_exif_is_ignored(exif: bytes, kind: str, head: bytes) -> None:
    data = encoded(Image.fromarray(PICTURE), kind, exif=b"Exif\0\0" + head + exif)
    assert sorted(size(data)) == [40, 56]
    assert sorted(decode_rgb(data).shape) == [3, 40, 56]


def test_exif_after_the_pixels_of_a_png_counts_too() -> None:
    whole = oriented(6, "PNG")
    start = whole.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", whole[start : start + 4])[0]
    late = whole[:start] + whole[end:-12] + whole[start:end] + whole[-12:]
    assert size(late) == (40, 56)
    np.testing.assert_array_equal(decode_rgb(late), decode_rgb(whole))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_orientation_in_xmp_alone_is_not_read(kind: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[700] = xmp
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    special: dict[str, dict[str, object]] = {"TIFF": {"tiffinfo": directory}, "PNG": {"pnginfo": text}}
    options = special.get(kind, {"xmp": xmp})
    data = encoded(Image.fromarray(PICTURE), kind, **options)
    assert b"tiff:Orientation" in data
    assert (size(data), decode_rgb(data).shape) == ((56, 40), (40, 56, 3))


def test_of_several_images_in_a_jpeg_the_first_counts() -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(encoded(frames[0], "JPEG"))) as first:
        np.testing.assert_array_equal(decode_rgb(data), np.array(first))


def on_white(rgba: Sequence[int]) -> list[int]:
    return decode_rgb(encoded(Image.new("RGBA", (1, 1), tuple(rgba)), "PNG"))[0, 0].tolist()  # type: ignore[no-any-return]


@given(color=st.lists(st.integers(0, 255), min_size=3, max_size=3), alpha=st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_half_transparent_pixels_mix_with_white(color: list[int], alpha: int) -> None:
    mixed = (np.array(color) * alpha + 255 * (255 - alpha)) / 255
    assert np.abs(np.array(on_white([*color, alpha])) - mixed).max() <= 1
    if alpha in (0, 255):
        assert on_white([*color, alpha]) == mixed.tolist()


@pytest.mark.parametrize(
    ("depth", "line", "key", "shown"),
    [
        (1, b"\x40", 1, [0, 9]),
        (1, b"\x40", 0, [9, 255]),
        (2, b"\x60", 1, [9, 170]),
        (4, b"\x7f", 7, [9, 255]),
        (8, b"\x07\x08", 7, [9, 8]),
        (16, b"\x12\x01\x12\x02", 0x1201, [9, 0x12]),
    ],
)
def test_the_transparent_gray_of_every_depth(depth: int, line: bytes, key: int, shown: list[int]) -> None:
    data = png(depth, GRAY, 2, line, (b"tRNS", struct.pack(">H", key)))
    assert decode_rgb(data, (9, 9, 9))[0, :, 0].tolist() == shown


def test_the_transparent_color_of_16_bits_is_compared_in_all_16() -> None:
    line = struct.pack(">6H", 0x12FF, 0x3400, 0x5680, 0x12FE, 0x3400, 0x5680)
    data = png(16, RGB, 2, line, (b"tRNS", struct.pack(">3H", 0x12FF, 0x3400, 0x5680)))
    assert decode_rgb(data).tolist() == [[[255, 255, 255], [0x12, 0x34, 0x56]]]


def test_the_transparent_color_of_8_bits() -> None:
    data = png(8, RGB, 2, bytes([1, 2, 3, 1, 2, 4]), (b"tRNS", struct.pack(">3H", 1, 2, 3)))
    assert decode_rgb(data).tolist() == [[[255, 255, 255], [1, 2, 4]]]


@pytest.mark.parametrize("alphas", [b"\0", b"\xff\x80"])
def test_palettes_with_transparency(alphas: bytes) -> None:
    data = png(8, PALETTE, 2, b"\0\1", (b"PLTE", bytes([10, 20, 30, 0, 0, 0])), (b"tRNS", alphas))
    first, second = decode_rgb(data)[0].tolist()
    assert (first, second) == (([255, 255, 255], [0, 0, 0]) if alphas == b"\0" else ([10, 20, 30], [127, 127, 127]))


@pytest.mark.parametrize(("color", "line"), [(GRAY_ALPHA, [0x1234, 0]), (RGB_ALPHA, [1, 2, 3, 0])])
def test_alpha_of_16_bits(color: int, line: list[int]) -> None:
    assert (decode_rgb(png(16, color, 1, struct.pack(f">{len(line)}H", *line))) == 255).all()


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA"])
def test_other_modes_with_alpha(mode: str) -> None:
    image = Image.new(mode, (2, 2), (7, 0) if len(mode) == 2 else (7, 7, 7, 0))
    assert (decode_rgb(encoded(image, "TIFF")) == 255).all()


@pytest.mark.skipif("La" not in dict(TiffImagePlugin.OPEN_INFO.values()), reason="this Pillow cannot read it")
def test_premultiplied_alpha() -> None:
    assert decode_rgb(tiff(1, 8, bytes([60, 128, 0, 0]), 2, samples=2))[0, :, 0].tolist() == [187, 255]


def test_a_transparent_gif_is_on_white_and_its_first_frame_counts() -> None:
    frames = [Image.new("RGBA", (4, 4), color) for color in ((255, 0, 0, 0), (0, 0, 255, 255))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2)
    assert (decode_rgb(data) == 255).all()


def test_gray_of_12_bits_and_gray_where_0_is_white() -> None:
    assert decode_rgb(tiff(1, 12, bytes([0xFF, 0xF0, 0x80]), 2))[0, :, 0].tolist() == [255, 8]
    assert decode_rgb(tiff(0, 16, struct.pack("<2H", 0, 0xFF01), 2))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PCX", "TGA", "JPEG2000", "SGI"])
def test_files_of_other_formats_are_refused_under_any_name(kind: str) -> None:
    data = encoded(Image.fromarray(PICTURE), kind)
    for read in (decode_rgb, size):
        with pytest.raises(ImageError, match=r"not an image|does not read"):
            read(data)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            r"an image of a format that simtool does not read \(HEIC\); save it as JPEG or PNG",
        ),
        (
            b"\0\0\0\x20ftypavif\0\0\0\0avifmif1",
            r"an image of a format that simtool does not read \(AVIF\); save it as JPEG or PNG",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "not an image but a Git LFS pointer .*; git lfs pull fetches",
        ),
        (b"<!DOCTYPE html><title>404</title>", "not an image but a web page"),
    ],
)
def test_what_often_lies_in_place_of_an_image_is_named(content: bytes, kind: str) -> None:
    for read in (decode_rgb, size):
        with pytest.raises(ImageError, match=kind):
            read(content)


@pytest.mark.parametrize("side", [13_378, 20_000, 1 << 30])
def test_images_of_too_many_pixels_are_refused_by_their_header(side: int) -> None:
    assert side**2 > MOST_PIXELS
    data = png(8, GRAY, side, b"", height=side)
    for read in (decode_rgb, size):
        with pytest.raises(ImageError, match="more than 179 megapixels"):
            read(data)


def test_a_jpeg_of_too_many_pixels_is_refused_by_its_header() -> None:
    data = encoded(Image.fromarray(PICTURE), "JPEG")
    frame = data.index(b"\xff\xc0")
    data = data[: frame + 5] + struct.pack(">HH", 65000, 65000) + data[frame + 9 :]
    with pytest.raises(ImageError, match="more than 179 megapixels"):
        decode_rgb(data)


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
def test_texts_that_unpack_to_too_much_are_refused(kind: str) -> None:
    info = PngImagePlugin.PngInfo()
    (info.add_itxt if kind == "iTXt" else info.add_text)("a", "x" * (2 << 20), zip=True)
    with pytest.raises(ImageError, match="a text in it is too long"):
        decode_rgb(encoded(Image.fromarray(PICTURE), "PNG", pnginfo=info))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]))
def test_damage_is_an_image_or_one_line(data: st.DataObject, kind: str) -> None:
    content = bytearray(encoded(Image.fromarray(PICTURE[:9, :9]), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 300) - 1))] = data.draw(st.integers(0, 255))
    for read in (decode_rgb, size):
        line = "read"
        try:
            read(bytes(content))
        except ImageError as failure:
            line = str(failure)
        assert len(line.splitlines()) == 1

"""Detection of images and of binary tables, arrays and models by their first and last bytes.

ONNX files and TensorFlow's ``saved_model.pb`` are protocol buffers, without magic numbers; their fields tell them.
"""

from __future__ import annotations

import re
import struct
from math import prod

from simtool.kinds.kind import TRUNCATED, Kind, What

__all__ = ["arrow_kind", "image_kind", "magic_kind", "message_kind", "numpy_kind", "parquet_kind"]

_MAGIC = (
    (b"\xfd7zXZ\0", Kind(What.PACKED, detail="(xz)")),
    (b"BZh", Kind(What.PACKED, detail="(bzip2)")),
    (b"\x28\xb5\x2f\xfd", Kind(What.PACKED, detail="(zstd)")),
    (b"7z\xbc\xaf\x27\x1c", Kind(What.PACKED, detail="(7-Zip)")),
    (b"Rar!\x1a\x07", Kind(What.PACKED, detail="(RAR)")),
    (b"MATLAB 5.0 MAT-file", Kind(What.MATLAB)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind(What.XLS)),
    (b"SQLite format 3\0", Kind(What.SQLITE)),
    (b"%PDF-", Kind(What.PDF)),
    ((b"RDX2\n", b"RDX3\n", b"RDA3\n"), Kind(What.R_DATA)),
    # The first pickle of PyTorch files before version 1.6.
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", Kind(What.TORCH)),
)
#: Image formats that simtool reads, and other formats.
_READ_IMAGES = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"GIF8[79]a", "GIF"),
    (rb"II\*\0|MM\0\*", "TIFF"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"BM....\0\0\0\0", "BMP"),
    (rb"P[56]\n", "PPM"),
)
_FOREIGN_IMAGES = (
    (rb"....ftyp(avif|avis)", "AVIF"),
    (rb"....ftyp(hei|hev|mif|msf)", "HEIC"),
    (rb"....ftypcrx ", "CR3"),
    (rb"\0\0\0\x0cjP  ", "JPEG 2000"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"8BPS", "Photoshop"),
)
#: The last bytes of an image, and the maximum number of bytes after them.
_ENDS = {"JPEG": (b"\xff\xd9", 1 << 16), "PNG": (b"IEND\xaeB`\x82", 1 << 16), "GIF": (b";", 16)}
_FOOTER_BYTES = 12
_LONGEST_SAFETENSORS_HEADER = 1 << 27
_VARINT, _LENGTH = 0, 2
#: The fields of ONNX's ModelProto and their wire types.
_ONNX = {1: _VARINT, 2: _LENGTH, 3: _LENGTH, 4: _LENGTH, 5: _VARINT, 6: _LENGTH, 7: _LENGTH, 8: _LENGTH, 14: _LENGTH}
_ONNX |= {20: _LENGTH, 25: _LENGTH, 26: _LENGTH}
_GRAPH = 7


def parquet_kind(start: bytes, tail: bytes, size: int) -> Kind | None:
    """Detect Parquet by its first and last four bytes; the length of the footer is before the last four."""
    if start.startswith(b"PARE") and tail.endswith(b"PARE"):
        return Kind(What.PARQUET, "encrypted")
    begins, ends = start.startswith(b"PAR1"), tail.endswith(b"PAR1") and size >= _FOOTER_BYTES
    if begins and not ends:
        return Kind(What.PARQUET, f"{TRUNCATED}: its footer is missing")
    fits = ends and struct.unpack("<I", tail[-8:-4])[0] <= size - _FOOTER_BYTES
    if begins:
        return Kind(What.PARQUET, "" if fits else "damaged: its footer is longer than the file")
    return Kind(What.PARQUET, "damaged: its beginning is overwritten") if fits else None


def arrow_kind(start: bytes, tail: bytes, size: int) -> Kind | None:
    """Detect Arrow and Feather files, and Arrow streams."""
    for mark in (b"ARROW1", b"FEA1"):
        if start.startswith(mark):
            whole = tail.endswith(mark) and size > 2 * len(mark)
            return Kind(What.ARROW, "" if whole else f"{TRUNCATED}: its footer is missing")
    if start.startswith(b"\xff\xff\xff\xff") and 8 <= int.from_bytes(start[4:8], "little") < 1 << 24:
        return Kind(What.ARROW, detail="(a stream)")
    return None


def numpy_kind(start: bytes, size: int) -> Kind | None:
    """Detect a NumPy array, with its shape and missing values."""
    if not start.startswith(b"\x93NUMPY"):
        return None
    place, wide = (10, "<H") if start[6:7] == b"\1" else (12, "<I")
    whole = len(start) >= place and (place := place + struct.unpack_from(wide, start, 8)[0]) <= size
    if not whole:
        return Kind(What.NPY, f"{TRUNCATED}: it ends within its header")
    header = start[:place].decode("latin-1")
    shape = re.search(r"'shape': *\(([\d, ]{0,999})\)", header)
    if shape is None or "'descr':" not in header:
        return Kind(What.NPY, "damaged: its header cannot be read")
    sides = [int(side) for side in re.findall(r"\d{1,18}", shape[1])]
    plain = re.search(r"'descr': *'[<>|=]?[fiucb](\d{1,3})'", header)
    if plain and place + prod(sides) * int(plain[1]) > size:
        return Kind(What.NPY, f"{TRUNCATED}: it ends before its last value")
    objects = " of Python objects" if "'|O'" in header else ""
    return Kind(What.NPY, detail=f"of shape ({', '.join(map(str, sides))}){objects}")


def magic_kind(start: bytes, tail: bytes) -> Kind | None:
    """Detect a kind by the first bytes."""
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if re.match(rb"\x80[\x02-\x05][^\s\w]", start):
        return Kind(What.PICKLE, "" if tail.endswith(b".") else f"{TRUNCATED}: it ends before its stop")
    if start[4:8] == b"TFL3":
        return Kind(What.TFLITE)
    if start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < _LONGEST_SAFETENSORS_HEADER:
        return Kind(What.SAFETENSORS)
    return None


def message_kind(start: bytes, size: int) -> Kind | None:
    """Return the kind of a protocol buffer of ``size`` bytes that begins with a version; None for other files."""
    if len(start) < 4 or start[0] != 0x08 or start[1] > 0x20:
        return None
    place = 0
    try:
        if start[1] == 1 and start[2] == 0x12:
            return _meta_graph(start, size)
        while place < min(size, len(start)):
            tag, place = _varint(start, place)
            field, wire = tag >> 3, tag & 7
            if _ONNX.get(field) != wire:
                return None
            value, place = _varint(start, place)
            if wire == _LENGTH:
                place += value
            if field == _GRAPH:
                return Kind(What.ONNX, f"{TRUNCATED}: it ends within its graph" if place > size else "")
    except IndexError:
        return None
    return None


def _meta_graph(start: bytes, size: int) -> Kind | None:
    """Detect ``saved_model.pb``: version 1, then a graph that begins with its description."""
    length, place = _varint(start, 3)
    if start[place : place + 1] != b"\x0a":
        return None
    return Kind(What.SAVED_MODEL, f"{TRUNCATED}: it ends within its graph" if place + length > size else "")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a number and the position of the next field; an IndexError if the data end before the number."""
    value = shift = 0
    while shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise IndexError


def image_kind(start: bytes, tail: bytes) -> Kind | None:
    """Return the kind of an image file by its first and last bytes; None for other files.

    Other bytes can follow the end of the image.
    """
    for what, formats in ((What.IMAGE, _READ_IMAGES), (What.FOREIGN_IMAGE, _FOREIGN_IMAGES)):
        for pattern, name in formats:
            if re.match(pattern, start, re.DOTALL):
                end, behind = _ENDS.get(name, (b"", 0))
                damage = "" if end in tail[-behind:] else f"{TRUNCATED}: its end is missing"
                return Kind(what, damage, detail=f"({name})")
    if start[4:8] == b"ftyp":
        return Kind(What.VIDEO)
    return None

"""Detection of image files by their first bytes: supported and unsupported formats."""

from __future__ import annotations

import re

from simtool.kinds.kind import TRUNCATED, Kind, What

__all__ = ["image_kind"]

_READ = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"GIF8[79]a", "GIF"),
    (rb"II\*\0|MM\0\*", "TIFF"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"BM....\0\0\0\0", "BMP"),
    (rb"P[56]\n", "PPM"),
)
_FOREIGN = (
    (rb"....ftyp(avif|avis)", "AVIF"),
    (rb"....ftyp(hei|hev|mif|msf)", "HEIC"),
    (rb"....ftypcrx ", "CR3"),
    (rb"\0\0\0\x0cjP  ", "JPEG 2000"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"8BPS", "Photoshop"),
)
#: The last bytes of an image, and the maximum number of bytes after them.
_ENDS = {"JPEG": (b"\xff\xd9", 1 << 16), "PNG": (b"IEND\xaeB`\x82", 1 << 16), "GIF": (b";", 16)}


def image_kind(start: bytes, tail: bytes) -> Kind | None:
    """Return the kind of an image file by its first and last bytes; None for other files.

    Other bytes can follow the end of the image.
    """
    for what, formats in ((What.IMAGE, _READ), (What.FOREIGN_IMAGE, _FOREIGN)):
        for pattern, name in formats:
            if re.match(pattern, start, re.DOTALL):
                end, behind = _ENDS.get(name, (b"", 0))
                damage = "" if end in tail[-behind:] else f"{TRUNCATED}: its end is missing"
                return Kind(what, damage, detail=f"({name})")
    if start[4:8] == b"ftyp":
        return Kind(What.VIDEO)
    return None

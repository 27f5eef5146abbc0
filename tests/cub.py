"""A miniature archive in CUB's layout, with the oddities of the real one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["PHOTOGRAPHS", "miniature", "pack"]

#: Name, color mode, format, width and height. The order is not alphabetical, as in the real ``images.txt``.
PHOTOGRAPHS = (
    ("002.Laysan_Albatross/Laysan_2.jpg", "RGB", "JPEG", 50, 37),
    ("001.Black_footed_Albatross/Black_1.jpg", "RGB", "JPEG", 40, 60),
    ("002.Laysan_Albatross/Laysan_1.jpg", "L", "JPEG", 41, 30),
    ("003.Sooty_Albatross/Sooty_1.jpg", "CMYK", "JPEG", 30, 31),
    ("001.Black_footed_Albatross/Black_2.jpg", "P", "PNG", 22, 33),
)


def _photograph(name: str, mode: str, kind: str, width: int, height: int) -> tuple[str, bytes]:
    noise = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, kind)
    return f"CUB_200_2011/images/{name}", file.getvalue()


def miniature() -> dict[str, bytes]:
    """The files of the archive by name, for changes before :func:`pack`."""
    text = {
        "images.txt": [f"{i} {name}" for i, (name, *_) in enumerate(PHOTOGRAPHS, start=1)],
        "classes.txt": [
            "1 001.Black_footed_Albatross",
            "2 002.Laysan_Albatross",
            "3 003.Sooty_Albatross",
            "200 200.Common_Yellowthroat",
        ],
        "image_class_labels.txt": ["1 2", "2 1", "3 2", "4 3", "5 1"],
        "train_test_split.txt": ["1 0", "2 1", "3 1", "4 0", "5 1"],
        "bounding_boxes.txt": [f"{i} {i}.0 2.5 20.0 {10 + i}.0" for i in range(1, 6)],
    }
    files = {f"CUB_200_2011/{name}": "".join(f"{line}\n" for line in lines).encode() for name, lines in text.items()}
    photographs = dict(_photograph(*photograph) for photograph in PHOTOGRAPHS)
    strays = {"CUB_200_2011/._images.txt": b"AppleDouble", "somebody's/notes.txt": b"not CUB's"}
    return {"attributes.txt": b"1 has_bill_shape::curved_(up_or_down)\n", **files, **photographs, **strays}


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write files as a gzipped tar. The bytes are reproducible."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path

"""What a file is: its content is asked, never its name."""

from __future__ import annotations

import ast
import errno
import io
import os
import stat
import struct
from pathlib import Path
from typing import BinaryIO

from simtool.kinds.archives import gzip_kind, tar_kind, zip_kind
from simtool.kinds.folders import folder_kind
from simtool.kinds.hdf5 import hdf5_kind
from simtool.kinds.kind import TRUNCATED, Kind, KindError, What
from simtool.kinds.messages import message_kind
from simtool.kinds.texts import text_kind

__all__ = ["kind_of", "kind_of_content"]

#: Bytes from the beginning of a file that most kinds are told by.
_START = 1 << 16
_LONGEST_NAME = 200
_PACKED = (
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
)
_MAGIC = (
    (b"MATLAB 5.0 MAT-file", What.MATLAB),
    (b"MATLAB 7.3 MAT-file", What.MATLAB),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", What.XLS),
    (b"SQLite format 3\0", What.SQLITE),
    (b"%PDF-", What.PDF),
    (b"FEA1", What.ARROW),
    (b"RDX2\n", What.R_DATA),
    (b"RDX3\n", What.R_DATA),
    (b"RDA3\n", What.R_DATA),
)
_IMAGES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
#: PyTorch's files before it used zip begin with this pickle.
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def kind_of(path: Path) -> Kind:
    """Say what a file or folder is, by its content.

    Reads a bounded part, unpickles nothing, and runs nothing.

    Raises:
        KindError: nothing is there, it cannot be read, or it is neither a file nor a folder.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return folder_kind(path)
        if not stat.S_ISREG(mode):
            raise KindError(f"{path}: {_special(mode)}, not a file; write its content to a file, and name that")
        with _open(path) as file:
            return _kind(file, os.fstat(file.fileno()).st_size)
    except OSError as failure:
        raise KindError(f"{path}: {_unreadable(path, failure)}") from failure
    except ValueError as failure:  # a null character in the path
        raise KindError(f"{path}: no such file or folder") from failure


def kind_of_content(content: bytes) -> Kind:
    """Say what a file is whose content is at hand."""
    return _kind(io.BytesIO(content), len(content))


def _special(mode: int) -> str:
    names = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return names.get(stat.S_IFMT(mode), "something special")


def _unreadable(path: Path, failure: OSError) -> str:
    if failure.errno not in (errno.ENOENT, errno.ENOTDIR):
        return failure.strerror or "it cannot be read"
    if not path.is_symlink():
        return "no such file or folder"
    target = str(path.readlink())
    hint = "; git annex get fetches it" if "annex/objects" in target else ""
    return f"a link to {target[:_LONGEST_NAME]}, where nothing is{hint}"


def _open(path: Path) -> BinaryIO:
    """Open a file; a pipe that has taken its place meanwhile does not hold us up."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _kind(file: BinaryIO, size: int) -> Kind:
    if not size:
        return Kind(What.EMPTY)

    def read(place: int, count: int) -> bytes:
        file.seek(place)
        return file.read(max(0, count))

    start = read(0, _START)
    tail = read(max(0, size - 16), 16)
    if not start.strip(b"\0") and not tail.strip(b"\0"):
        return Kind(What.ZEROS)
    for found in (_parquet(start, tail, size), _arrow(start, tail), _numpy(start, size), _image(start), _known(start)):
        if found:
            return found
    if start.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08")):
        return zip_kind(file, read, size)
    if start.startswith(b"\x1f\x8b"):
        return gzip_kind(read)
    if any(start.startswith(b"\x89HDF\r\n\x1a\n", place) for place in (0, 512, 1024, 2048, 4096, 8192)):
        return hdf5_kind(file)
    return (
        tar_kind(read, size)
        or message_kind(start, size)
        or text_kind(start, size <= len(start), lambda count: read(0, count))
        or Kind(What.OTHER, detail=f"(its first bytes are {start[:8].hex(' ')})")
    )


def _parquet(start: bytes, tail: bytes, size: int) -> Kind | None:
    if start.startswith(b"PARE") and tail.endswith(b"PARE"):
        return Kind(What.PARQUET, "encrypted")
    begins, ends = start.startswith(b"PAR1"), tail.endswith(b"PAR1") and size >= 12
    if begins and not ends:
        return Kind(What.PARQUET, f"{TRUNCATED}: its footer is missing")
    if begins and struct.unpack("<I", tail[-8:-4])[0] > size - 12:
        return Kind(What.PARQUET, "damaged: its footer is longer than the file")
    if ends:
        return Kind(What.PARQUET, "" if begins else "damaged: its beginning is overwritten")
    return None


def _arrow(start: bytes, tail: bytes) -> Kind | None:
    if start.startswith(b"ARROW1"):
        return Kind(What.ARROW, "" if tail.endswith(b"ARROW1") else f"{TRUNCATED}: its footer is missing")
    if (
        start.startswith(b"\xff\xff\xff\xff")
        and len(start) > 8
        and 8 <= struct.unpack_from("<i", start, 4)[0] < 1 << 24
    ):
        return Kind(What.ARROW, detail="(a stream)")
    return None


def _numpy(start: bytes, size: int) -> Kind | None:
    if not start.startswith(b"\x93NUMPY"):
        return None
    try:
        wide = start[6] > 1
        length = struct.unpack_from("<I" if wide else "<H", start, 8)[0]
        place = 12 if wide else 10
        if place + length > size:
            return Kind(What.NPY, f"{TRUNCATED}: it ends within its header")
        header = ast.literal_eval(start[place : place + length].decode("latin-1").strip())
        shape, kind = tuple(int(side) for side in header["shape"]), header["descr"]
    except (ValueError, SyntaxError, KeyError, TypeError, IndexError, struct.error, MemoryError, RecursionError):
        return Kind(What.NPY, "damaged: its header cannot be read")
    if isinstance(kind, str) and kind[2:].isdigit() and kind[1:2] in "fiucb":
        values = 1
        for side in shape:
            values *= side
        if place + length + values * int(kind[2:]) > size:
            return Kind(What.NPY, f"{TRUNCATED}: it ends before its last value")
    return Kind(What.NPY, detail=f"of shape {shape}" + (" of Python objects" if kind == "|O" else ""))


def _image(start: bytes) -> Kind | None:
    for magic, name in _IMAGES:
        if start.startswith(magic):
            return Kind(What.IMAGE, detail=f"({name})")
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return Kind(What.IMAGE, detail="(WebP)")
    if start.startswith(b"BM") and len(start) > 26 and start[6:10] == b"\0\0\0\0":
        return Kind(What.IMAGE, detail="(BMP)")
    if start[4:8] == b"ftyp":
        brand = start[8:12]
        name = (
            "AVIF" if brand in (b"avif", b"avis") else "HEIC" if brand[:3] in (b"hei", b"hev", b"mif", b"msf") else ""
        )
        return (
            Kind(What.IMAGE, detail=f"({name})")
            if name
            else Kind(What.OTHER, detail="(a video, or another kind of MP4)")
        )
    return None


def _known(start: bytes) -> Kind | None:
    for magic, name in _PACKED:
        if start.startswith(magic):
            return Kind(What.PACKED, detail=f"({name})")
    for magic, what in _MAGIC:
        if start.startswith(magic):
            return Kind(what)
    if start.startswith(_OLD_TORCH):
        return Kind(What.TORCH)
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return Kind(What.PICKLE)
    if start[4:8] == b"TFL3":
        return Kind(What.TFLITE)
    if len(start) > 10 and start[8:10] == b'{"' and struct.unpack_from("<Q", start)[0] < 1 << 27:
        return Kind(What.SAFETENSORS)
    return None

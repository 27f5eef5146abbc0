"""Detection of zip, tar and gzip files and of formats based on them, by their members and with bounded reads."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import BinaryIO

from simtool.errors import listed
from simtool.kinds.kind import TRUNCATED, Kind, What
from simtool.kinds.texts import WHOLE_JSON, text_kind
from simtool.text import printable

__all__ = ["Reader", "gzip_kind", "tar_kind", "zip_kind"]

#: Reads a number of bytes from a position of a file; fewer bytes at its end.
Reader = Callable[[int, int], bytes]

_DAMAGED_LIST = "damaged: the list of its members cannot be read"
_KERAS = frozenset(("config.json", "metadata.json", "model.weights.h5"))
_END_BYTES = 22
_MEMBERS = 2000
_DIRECTORY_BYTES = 1 << 24
#: Maximum bytes of a gzip file to unpack, and maximum unpacked bytes.
_PACKED_BYTES = 1 << 23
_UNPACKED_BYTES = 1 << 26
_START = 1 << 16


def zip_kind(file: BinaryIO, read: Reader, size: int) -> Kind:
    """Return the kind of a zip file."""
    names, damage = _directory(read, size)
    if names is None:
        found = _by_members(_local_names(read(0, _START)), whole=False)
        return Kind(found.what, damage, keys=found.keys)
    kind = _by_members(names)
    documents = sorted((name for name in kind.keys if name.endswith(".json")), key=_in_no_sequences)
    if kind.what is What.ZIP and documents and _is_sequences(file, documents[0]):
        return Kind(What.PSIZ_ZIP, keys=kind.keys)
    return kind


def _in_no_sequences(name: str) -> bool:
    return not PurePosixPath(name).parent.name.endswith("_seqs")


def _is_sequences(file: BinaryIO, name: str) -> bool:
    """Return whether a member of a zip is a document of psiz-datasets; only its beginning is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open(name) as member:
            content = member.read(WHOLE_JSON)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, KeyError, ValueError, OSError):
        return False
    kind = text_kind(content[:_START], len(content) <= _START, lambda count: content[:count])
    return kind is not None and kind.what is What.PSIZ_JSON


def _directory(read: Reader, size: int) -> tuple[tuple[str, ...] | None, str]:
    """Return the names in the list of members at the end of a zip; None and the damage if it is unreadable."""
    tail_start = max(0, size - (1 << 16) - _END_BYTES)
    tail = read(tail_start, size - tail_start)
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + _END_BYTES > len(tail):
        return None, f"{TRUNCATED}: the list of members at its end is missing"
    count, length = struct.unpack_from("<HL", tail, end + 10)
    start = tail_start + end - length
    if tail[max(0, end - 20) : end].startswith(b"PK\6\7"):  # zip64 has its larger numbers before
        record = tail.rfind(b"PK\6\6", 0, end)
        if record < 0 or record + 56 > len(tail):
            return None, _DAMAGED_LIST
        count, length = struct.unpack_from("<QQ", tail, record + 32)
        start = tail_start + record - length
    if start < 0:
        return None, _DAMAGED_LIST
    names = _names(read(start, min(length, _DIRECTORY_BYTES)), min(count, _MEMBERS))
    return (names, "") if names is not None else (None, _DAMAGED_LIST)


def _names(directory: bytes, count: int) -> tuple[str, ...] | None:
    """Return the first names of a list of members; None for a damaged list."""
    names: list[str] = []
    place = 0
    while len(names) < count:
        if directory[place : place + 4] != b"PK\1\2" or place + 46 > len(directory):
            return None
        lengths = struct.unpack_from("<HHH", directory, place + 28)
        names.append(directory[place + 46 : place + 46 + lengths[0]].decode("utf-8", "replace"))
        place += 46 + sum(lengths)
    return tuple(names)


def _local_names(start: bytes) -> tuple[str, ...]:
    """Return the names in the headers of the first members."""
    names: list[str] = []
    place = 0
    while start[place : place + 4] == b"PK\3\4" and place + 30 <= len(start):
        packed, _, name, extra = struct.unpack_from("<LLHH", start, place + 18)
        names.append(start[place + 30 : place + 30 + name].decode("utf-8", "replace"))
        place += 30 + name + extra + packed
    return tuple(names)


def _by_members(names: tuple[str, ...], whole: bool = True) -> Kind:
    """Return the kind by the names of the members; a truncated zip has only some of them."""
    kept = tuple(name for name in names if not name.startswith("__MACOSX/") and not name.endswith("/"))
    missing = sorted(_KERAS - set(kept))
    if len(missing) <= (1 if whole else 2) and all(name in _KERAS or name.startswith("assets/") for name in kept):
        return Kind(What.KERAS, f"incomplete: it lacks {listed(missing)}" if missing else "", keys=kept)
    if any(name.startswith("xl/") for name in kept):
        return Kind(What.XLSX, keys=kept)
    if {"[Content_Types].xml", "mimetype"} & set(kept) or any(name.startswith(("word/", "ppt/")) for name in kept):
        return Kind(What.OFFICE, keys=kept)
    if any(PurePosixPath(name).name == "data.pkl" for name in kept):
        return Kind(What.TORCH, keys=kept)
    if kept and all(name.endswith(".npy") for name in kept):
        arrays = tuple(name.removesuffix(".npy") for name in kept)
        return Kind(What.NPZ, detail=f"of {listed(map(printable, arrays), 6)}", keys=arrays)
    return Kind(What.ZIP, detail=f"of {_contents(kept)}", keys=kept)


def _contents(names: tuple[str, ...]) -> str:
    """Count files by suffix: ``12 .jpg, 1 .csv``."""
    suffixes = Counter(printable(PurePosixPath(name).suffix.lower()) or "other" for name in names)
    return listed((f"{count:,} {suffix}" for suffix, count in suffixes.most_common()), 4) or "nothing"


def tar_kind(read: Reader, size: int) -> Kind | None:
    """Return the kind of a tar file; None for other files. Only the headers of members are read."""
    names: list[str] = []
    place = 0
    while len(names) < _MEMBERS and place < size:
        block = read(place, tarfile.BLOCKSIZE)
        if names and len(block) == tarfile.BLOCKSIZE and not any(block):
            return _tar(names)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
        except tarfile.HeaderError:
            if not names:
                return None
            cut = len(block) < tarfile.BLOCKSIZE
            damage = f"{TRUNCATED}: it ends within a member" if cut else "damaged between two members"
            return _tar(names, damage)
        names.append(info.name)
        if info.size < 0:
            return _tar(names, "damaged: a member of negative size")
        if place + tarfile.BLOCKSIZE + info.size > size:
            return _tar(names, f"{TRUNCATED}: it ends within a member")
        place += tarfile.BLOCKSIZE * (1 + -(-info.size // tarfile.BLOCKSIZE))
    return _tar(names, "" if len(names) == _MEMBERS else f"{TRUNCATED}: its end is missing")


def _tar(names: list[str], damage: str = "") -> Kind:
    return Kind(What.TAR, damage, detail=f"of {_contents(tuple(names))}", keys=tuple(names))


def gzip_kind(read: Reader) -> Kind:
    """Return the kind of a gzip file by its content; a small file is unpacked completely."""
    start, damage = _unpacked(read)
    held = tar_kind(lambda at, count: start[at : at + count], len(start)) if start else None
    if held is not None:
        return Kind(What.TAR_GZ, damage, keys=held.keys)
    if start.startswith((b"RDX", b"X\n\0\0\0")):
        return Kind(What.R_DATA, damage)
    text = text_kind(start, len(start) < _START, lambda count: start[:count])
    return Kind(What.GZIP, damage, detail=f"(of {text.what})" if text else "")


def _unpacked(read: Reader) -> tuple[bytes, str]:
    """Return the first unpacked bytes of a gzip file, and the damage of a small file."""
    unpacker = zlib.decompressobj(31)
    place = unpacked = 0
    start = b""
    while not unpacker.eof and unpacked < _UNPACKED_BYTES:
        block = unpacker.unconsumed_tail
        if not block:
            if place >= _PACKED_BYTES:
                return start, ""
            block = read(place, _START)
            place += len(block)
        if not block:
            return start, f"{TRUNCATED}: it ends before its checksum"
        try:
            piece = unpacker.decompress(block, 1 << 20)
        except zlib.error:
            return start, "damaged: it cannot be unpacked"
        unpacked += len(piece)
        start += piece[: max(0, _START - len(start))]
    return start, ""

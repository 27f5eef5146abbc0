"""Read the members of a tar archive, a zip archive or a folder in order, through one interface.

Python's tar reader takes a damaged header for the end of the archive. This reader reports the damage, and reads a gzip
file up to its final checksum.
"""

from __future__ import annotations

import errno
import gzip
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import IO, BinaryIO, Self, TypeVar

from simtool.archive.source import ArchiveError
from simtool.errors import SimtoolError
from simtool.kinds import Expected, What, explain, kind_of
from simtool.system.tree import files_below

__all__ = ["Member", "open_archive", "unpacked_size"]

#: Maximum bytes of a long name or an extended header, because such headers are read into memory.
_LONGEST_HEADER = 1 << 20
_LONG_HEADERS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}
#: Maximum mebibytes of padding after the last member.
_PADDING = 64
_BLOCK = 1 << 20

_ZIPS = frozenset((What.ZIP, What.PSIZ_ZIP))
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: its path as the archive states it; do not trust it.
        kind: ``file``, ``folder``, or a description of another kind.
        offset: the number of bytes of the archive before its content.
        blocks: reads the content of a file, block by block; valid until the next member is read.
    """

    name: str
    kind: str
    offset: int
    blocks: Callable[[], Iterator[bytes]]


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Replace the exceptions of archive readers by one line about the archive; errors of the system stay."""
    try:
        yield
    except (SimtoolError, MemoryError):
        raise
    except NotImplementedError as failure:
        raise ArchiveError(
            f"{path}: unsupported compression ({failure}); unpack it and give the folder instead"
        ) from failure
    except EOFError as failure:
        raise ArchiveError(f"{path}: the archive is truncated") from failure
    except Exception as failure:  # the readers of tar, zip, gzip, bzip2 and LZMA raise many types
        if isinstance(failure, OSError) and failure.errno not in (None, errno.EINVAL):
            raise
        # EINVAL: the archive states a position before its beginning.
        reason = str(failure) or type(failure).__name__
        raise ArchiveError(f"{path}: the archive is damaged: {reason}") from failure


@contextmanager
def open_archive(path: Path) -> Iterator[Iterator[Member]]:
    """Open a tar, gzipped tar or zip archive (detected by content), or a folder; yield its members in order.

    Raises:
        ArchiveError: the path is no archive, or the archive is truncated or damaged (also while members are read).
        OSError: the path cannot be read.
    """
    if path.is_dir():
        yield _folder_members(path)
        return
    readers: dict[What, Callable[[BinaryIO, Path], Iterator[Member]]]
    readers = {What.TAR: _tar_members, What.TAR_GZ: _gzip_members}
    reader = readers.get(_format_of(path), _zip_members)
    with path.open("rb") as file:
        yield _guarded(reader(file, path), path)


def _guarded(items: Iterator[_Item], path: Path) -> Iterator[_Item]:
    while True:
        with _naming_damage(path):
            item = next(items, None)
        if item is None:
            return
        yield item


def _blocks(path: Path, opener: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    with _naming_damage(path):
        content = opener()
    with content:
        yield from _guarded(iter(partial(content.read, _BLOCK), b""), path)


def unpacked_size(path: Path) -> int:
    """Return the minimum unpacked size of an archive in bytes, read from its first and last bytes only.

    Raises:
        ArchiveError: the path is no archive, or a damaged zip.
        OSError: the path cannot be read.
    """
    if path.is_dir():
        return sum((path / name).stat().st_size for name in files_below(path) if (path / name).exists())
    found = _format_of(path)
    if found in _ZIPS:
        with _naming_damage(path), zipfile.ZipFile(path) as archive:
            return sum(info.file_size for info in archive.infolist())
    size = path.stat().st_size
    if found is What.TAR:
        return size
    with path.open("rb") as file:
        file.seek(-4, 2)
        # The unpacked size modulo 4 GiB (RFC 1952); images hardly compress.
        return max(size, int.from_bytes(file.read(4), "little"))


def _format_of(path: Path) -> What:
    kind = kind_of(path)
    if kind.what not in Expected.ARCHIVE.kinds or (kind.what in _ZIPS and kind.damage):
        raise ArchiveError(explain(path, Expected.ARCHIVE))
    return kind.what


class _Header(tarfile.TarInfo):
    """A member's header that raises an error for damage; the base class takes damage for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if not buf:
            raise EOFError
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as failure:
            if not any(buf):  # a block of zeros ends an archive
                raise
            raise tarfile.ReadError(str(failure)) from failure
        if header.type in _LONG_HEADERS and header.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def _folder_members(folder: Path) -> Iterator[Member]:
    offset = 0
    for name in sorted(files_below(folder)):
        path = folder / name
        yield Member(str(name), "file", offset, partial(_blocks, path, partial(FileIO, path)))
        offset += path.stat().st_size


def _gzip_members(file: BinaryIO, path: Path) -> Iterator[Member]:
    with gzip.open(file) as unzipped:
        yield from _tar_members(unzipped, path, file)
        # The checksum is at the end of the stream.
        if any(not unzipped.read(1 << 20) for _ in range(_PADDING)):
            return
        raise tarfile.ReadError("data follow its end")


def _tar_members(content: BinaryIO | gzip.GzipFile, path: Path, file: BinaryIO | None = None) -> Iterator[Member]:
    with tarfile.open(fileobj=content, mode="r:", tarinfo=_Header) as archive:
        for info in archive:
            blocks = partial(_blocks, path, partial(_content, archive, info))
            yield Member(info.name, _kind_in_tar(info), (file or content).tell(), blocks)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError(f"{info.name!r} has no content")
    return content


def _kind_in_tar(info: tarfile.TarInfo) -> str:
    kinds = {
        "file": info.isreg(),
        "folder": info.isdir(),
        "a symbolic link": info.issym(),
        "a hard link": info.islnk(),
        "a device": info.ischr() or info.isblk(),
        "a named pipe": info.isfifo(),
    }
    return next((kind for kind, applies in kinds.items() if applies), "an entry of unknown kind")


def _zip_members(file: BinaryIO, path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            # Some Windows programs write backslashes.
            name = info.filename if "/" in info.filename else info.filename.replace("\\", "/")
            blocks = partial(_blocks, path, partial(archive.open, info))
            yield Member(name, _kind_in_zip(info, name), info.header_offset, blocks)


def _kind_in_zip(info: zipfile.ZipInfo, name: str) -> str:
    if name.endswith("/"):
        return "folder"
    if info.flag_bits & 1:
        return "encrypted"
    # The upper half holds the mode if the archive was made on Unix, else zeros.
    kind = stat.S_IFMT(info.external_attr >> 16)
    return {
        0: "file",
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
    }.get(kind, "a device")

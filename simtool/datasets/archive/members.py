"""The members of a tar or zip archive, read one after the other, in the same way for both.

Python's tar reader takes a damaged header for the end of the archive; this one says that the
archive is damaged, and reads on to the checksum that ends a gzip file.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, Literal, Self

from simtool.datasets.archive.source import ArchiveError
from simtool.kinds import Door, What, explain, kind_of

__all__ = ["Member", "open_archive", "unpacked_size"]

#: Bytes of a long name or an extended header that are believed, since such headers are read into memory.
_LONGEST_HEADER = 1 << 20
_LONG_HEADERS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}
#: Mebibytes of padding that may follow the last member.
_PADDING = 64
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)

_Format = Literal["tar", "tar.gz", "zip"]
_FORMATS: dict[What, _Format] = {What.TAR: "tar", What.TAR_GZ: "tar.gz", What.ZIP: "zip", What.PSIZ_ZIP: "zip"}


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: its path as the archive has it, not to be trusted.
        kind: ``file``, ``folder``, or in words what else it is.
        offset: how many bytes of the archive have been read before its content.
        open: opens the content of a file; valid until the next member is taken.
    """

    name: str
    kind: str
    offset: int
    open: Callable[[], IO[bytes]]


@contextmanager
def open_archive(path: Path) -> Iterator[Iterator[Member]]:
    """Open a tar, gzipped tar or zip archive, told apart by content.

    Args:
        path: the archive.

    Yields:
        Its members, in order.

    Raises:
        ArchiveError: it is no archive, or (at any time while its members are read) truncated or damaged.
        OSError: it cannot be read.
    """
    readers: dict[_Format, Callable[[BinaryIO], Iterator[Member]]]
    readers = {"tar": _tar_members, "tar.gz": _gzip_members, "zip": _zip_members}
    reader = readers[_format_of(path)]
    try:
        with path.open("rb") as file:
            yield reader(file)
    except EOFError as failure:
        raise ArchiveError(f"{path}: the archive is truncated: it ends too early") from failure
    except _DAMAGE as failure:
        raise ArchiveError(f"{path}: the archive is damaged: {failure}") from failure


def unpacked_size(path: Path) -> int:
    """Bytes that an archive needs when it is unpacked, at least: read from its ends, not from its members.

    Raises:
        ArchiveError: it is no archive, or a damaged zip.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    match _format_of(path):
        case "zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    return sum(info.file_size for info in archive.infolist())
            except _DAMAGE as failure:
                raise ArchiveError(f"{path}: the archive is damaged: {failure}") from failure
        case "tar.gz":
            with path.open("rb") as file:
                file.seek(-4, 2)
                # The size before compression, modulo 4 GiB (RFC 1952); photographs hardly shrink.
                return max(size, int.from_bytes(file.read(4), "little"))
        case "tar":
            return size


def _format_of(path: Path) -> _Format:
    found = _FORMATS.get(kind_of(path).what)
    if found is None:
        raise ArchiveError(explain(path, Door.ARCHIVE))
    return found


class _Header(tarfile.TarInfo):
    """A member's header that complains of damage, where the base class lets the archive end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if not buf:
            raise EOFError
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as failure:
            if not any(buf):  # a block of zeros: the proper end
                raise
            raise tarfile.ReadError(str(failure)) from failure
        if header.type in _LONG_HEADERS and header.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def _gzip_members(file: BinaryIO) -> Iterator[Member]:
    with gzip.open(file) as unzipped:
        yield from _tar_members(unzipped, file)
        # Only the end of the stream brings the checksum.
        if any(not unzipped.read(1 << 20) for _ in range(_PADDING)):
            return
        raise tarfile.ReadError("it goes on after its end")


def _tar_members(content: BinaryIO | gzip.GzipFile, file: BinaryIO | None = None) -> Iterator[Member]:
    with tarfile.open(fileobj=content, mode="r:", tarinfo=_Header) as archive:
        for info in archive:
            yield Member(info.name, _kind_in_tar(info), (file or content).tell(), partial(_content, archive, info))


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
    return next((kind for kind, applies in kinds.items() if applies), "of an unknown kind")


def _zip_members(file: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            yield Member(info.filename, _kind_in_zip(info), info.header_offset, partial(archive.open, info))


def _kind_in_zip(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "encrypted"
    # The upper half holds the mode where the archive was made on Unix, and zeros elsewhere.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        return "folder"
    return {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe"}.get(
        kind, "a device"
    )

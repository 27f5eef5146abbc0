"""Published files: name, mirrors, size and checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simtool.errors import SimtoolError, listed
from simtool.tables.provenance import sha256_of

__all__ = ["ArchiveError", "Source", "verify"]


class ArchiveError(SimtoolError):
    """An archive is unavailable, not the published file, or unsafe to unpack."""


@dataclass(frozen=True)
class Source:
    """A published file.

    Attributes:
        name: the file name in the folder.
        urls: the mirrors (http or https), tried in this order.
        size: bytes; None if unknown or if several versions are accepted.
        sha256: the accepted checksums in hexadecimal; empty if none is published.
        md5: the published checksum of a file for which no SHA-256 is published; empty if none is.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: tuple[str, ...] = ()
    md5: str = ""

    @property
    def has_checksum(self) -> bool:
        """Whether a checksum can tell the file from others."""
        return bool(self.sha256 or self.md5)

    def verify(self, path: Path) -> None:
        """Check a copy; without published checksums every file is accepted.

        Raises:
            ArchiveError: the file has another checksum.
            OSError: the file cannot be read.
        """
        verify(path, self.sha256)
        if self.md5 and (found := _md5_of(path)) != self.md5:
            raise ArchiveError(f"{path}: wrong checksum: expected MD5 {self.md5}, got {found}")

    def is_copy(self, path: Path) -> bool:
        """Whether a file is this file, by its checksum.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            self.verify(path)
        except ArchiveError:
            return False
        return self.has_checksum


def verify(path: Path, sha256: Sequence[str]) -> None:
    """Check a file against the accepted checksums in hexadecimal; without checksums every file is accepted.

    Raises:
        ArchiveError: the file has another checksum.
        OSError: the file cannot be read.
    """
    if not sha256:
        return
    found = sha256_of(path)
    if found not in {accepted.lower() for accepted in sha256}:
        raise ArchiveError(f"{path}: wrong checksum: expected SHA-256 {listed(sha256)}, got {found}")


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()

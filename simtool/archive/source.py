"""Published files: name, mirrors, size and checksums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: tuple[str, ...] = ()


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

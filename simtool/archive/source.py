"""A published file: its name, the mirrors that serve it, and what proves that it arrived whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simtool.errors import SimtoolError, listed
from simtool.tables.provenance import sha256_of

__all__ = ["ArchiveError", "DownloadError", "Source", "verify"]


class ArchiveError(SimtoolError):
    """An archive cannot be had, is not the published one, or holds what must not be unpacked."""


class DownloadError(ArchiveError):
    """No server gave the published file; the message says what each one did."""


@dataclass(frozen=True)
class Source:
    """A file that servers publish.

    Attributes:
        name: the file name that it gets in the folder.
        urls: the mirrors (http or https), tried in this order.
        size: bytes; None where it is not known or where several versions are accepted.
        sha256: the accepted checksums in hexadecimal; empty where none is published.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: tuple[str, ...] = ()


def verify(path: Path, sha256: Sequence[str]) -> None:
    """Check a file against its published checksums; without any there is nothing to check.

    Args:
        path: the file.
        sha256: the accepted checksums in hexadecimal.

    Raises:
        ArchiveError: the file has none of them.
        OSError: the file cannot be read.
    """
    if not sha256:
        return
    found = sha256_of(path)
    if found not in {accepted.lower() for accepted in sha256}:
        raise ArchiveError(f"{path}: wrong checksum: expected SHA-256 {listed(sha256)}, got {found}")

"""Published files for stages: official or from a mirror, downloaded or a local copy, checked if a checksum is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simtool import console
from simtool.archive import ArchiveError, Source, fetch
from simtool.errors import UsageError, listed
from simtool.tables.provenance import sha256_of

__all__ = ["checksum_of", "downloaded", "folder_of", "source_of"]


def folder_of(folder: str | Path) -> Path:
    """The folder to fetch to; a file is refused."""
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise UsageError(f"FOLDER: {path} is a file, not a folder")
    return path


def source_of(official: Source, urls: Sequence[str] = (), sha256: Sequence[str] = ()) -> Source:
    """The official source, with other addresses or checksums where they are given."""
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise UsageError(f"--url: {url} is not an http or https address")
    for checksum in sha256:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", checksum):
            raise UsageError(f"--sha256: a SHA-256 checksum has 64 hexadecimal digits, not {checksum}")
    source = replace(official, urls=tuple(urls or official.urls))
    return replace(source, size=None, sha256=tuple(map(str.lower, sha256))) if sha256 else source


def downloaded(source: Source, folder: Path) -> Path:
    """Download a file, and note if nothing can check it.

    Raises:
        ArchiveError: no mirror sent the file.
    """
    try:
        path = fetch(source, folder)
    except ArchiveError as failure:
        raise ArchiveError(f"{failure}; on a machine without network give a copy with --archive") from failure
    if not source.sha256:
        console.note(f"{path} could not be checked: its checksum is not known")
    return path


def checksum_of(archive: Path, source: Source, strict: bool) -> str:
    """The checksum of a local copy; a damaged copy is refused, and with ``strict`` any file without the checksum."""
    found = sha256_of(archive)
    if found not in source.sha256 and (strict or archive.stat().st_size == source.size):
        raise ArchiveError(f"{archive}: wrong checksum: expected SHA-256 {listed(source.sha256)}, got {found}")
    return found

"""Published archives: downloaded, verified and unpacked, so that neither a break nor a bad file does harm."""

from __future__ import annotations

from simtool.datasets.archive.download import Patience, arrived, fetch
from simtool.datasets.archive.members import open_archive
from simtool.datasets.archive.source import ArchiveError, DownloadError, Source, verify
from simtool.datasets.archive.space import require_space
from simtool.datasets.archive.unpacking import Limits, unpack

__all__ = [
    "ArchiveError",
    "DownloadError",
    "Limits",
    "Patience",
    "Source",
    "arrived",
    "fetch",
    "open_archive",
    "require_space",
    "unpack",
    "verify",
]

"""Download, verify and unpack published archives. Interrupted downloads resume; bad archives change nothing."""

from __future__ import annotations

from simtool.archive.download import arrived, fetch
from simtool.archive.members import open_archive
from simtool.archive.source import ArchiveError, Source, verify
from simtool.archive.unpacking import unpack

__all__ = ["ArchiveError", "Source", "arrived", "fetch", "open_archive", "unpack", "verify"]

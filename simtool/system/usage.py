"""How much memory this process has taken."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["used_memory"]

_STATISTICS = Path("/proc/self/statm")


def used_memory(statistics: Path = _STATISTICS) -> int:
    """The bytes of memory that this process occupies; 0 where the system does not tell.

    Args:
        statistics: the file in which Linux tells.
    """
    try:
        return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError, ValueError):
        return 0

"""The share of the processor that the control groups of a job leave to it."""

from __future__ import annotations

from pathlib import Path

from simtool.system.groups import ROOT, folders_of, lines_of, number_in

__all__ = ["core_quota"]


def core_quota(root: Path = ROOT) -> float | None:
    """Return how many cores the control groups above this process allow at the same time; None without a limit.

    Args:
        root: the root of the file system with ``/proc`` and ``/sys``.
    """
    quotas = [_quota(version, folder) for version, folder in folders_of("cpu", root)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(version: int, folder: Path) -> float | None:
    """Time on all cores in a period, divided by the period, both in microseconds."""
    if version == 1:
        time, period = number_in(folder / "cpu.cfs_quota_us"), number_in(folder / "cpu.cfs_period_us")
        return time / period if time and period else None
    words = " ".join(lines_of(folder / "cpu.max")).split()
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0].isdigit() else None

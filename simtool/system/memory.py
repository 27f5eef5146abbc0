"""Memory: available to this process, and used by it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_memory", "used_memory"]

_ROOT = Path("/")
_STATISTICS = Path("/proc/self/statm")


def used_memory(statistics: Path = _STATISTICS) -> int:
    """Return the bytes of memory that this process occupies; 0 if the system does not report it.

    Args:
        statistics: the file in which Linux reports it.
    """
    try:
        return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError, ValueError):
        return 0


def available_memory(root: Path = _ROOT) -> int | None:
    """Return the bytes that this process can take without swapping or exceeding the limit of its container or job.

    This is the minimum of the machine's available memory and the remaining memory of each control group above this
    process. Pages of files that the kernel can drop count as free.

    Args:
        root: the root of the file system with ``/proc`` and ``/sys``.

    Returns:
        Bytes; None if the system does not report them.
    """
    rooms = [room for room in (_machine(root), *_version_2(root), *_version_1(root)) if room is not None]
    return max(min(rooms), 0) if rooms else None


def _machine(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _version_2(root: Path) -> Iterator[int | None]:
    """Yield the remaining memory of each group of version 2, from the group of this process up to the root."""
    for folder in _groups(root, "", root / "sys/fs/cgroup"):
        yield _room(folder, "memory.max", "memory.current", "inactive_file")


def _version_1(root: Path) -> Iterator[int | None]:
    for folder in _groups(root, "memory", root / "sys/fs/cgroup/memory"):
        yield _room(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _groups(root: Path, controller: str, mount: Path) -> Iterator[Path]:
    """Yield the folders of the control groups of this process for a controller; inside a container, the mount."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            group = mount / path.strip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(mount))


def _room(folder: Path, limit: str, usage: str, droppable: str) -> int | None:
    most, used = _number(folder / limit), _number(folder / usage)
    if most is None or used is None:
        return None
    statistics = dict(line.split(maxsplit=1) for line in _lines(folder / "memory.stat"))
    return most - used + int(statistics.get(droppable, 0))


def _number(path: Path) -> int | None:
    """Return the number in a file; None without a file, or for ``max``."""
    text = "".join(_lines(path))
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

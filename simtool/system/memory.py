"""Memory: available to this process, used by it, and amounts in text, such as ``2G``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from simtool.errors import SimtoolError

__all__ = ["AmountError", "available_memory", "bytes_of", "used_memory"]

_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(b|ib)?\s*", re.IGNORECASE)
_POWERS = ("", "k", "m", "g", "t")
_ROOT = Path("/")
_STATISTICS = Path("/proc/self/statm")
#: The controller of memory in control groups of version 2 and 1: its name, its folder, and its files for the limit,
#: the usage and the statistics of pages that the kernel can drop.
_CONTROLLERS = (
    ("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class AmountError(SimtoolError):
    """A text is not an amount of memory."""


def bytes_of(text: str) -> int:
    """Return the bytes of a text such as ``2G``, ``500M``, ``1.5 GiB`` or ``3GB``.

    K, M, G and T (with or without iB) are powers of 1,024, as in SLURM; KB, MB, GB and TB are powers of 1,000.

    Raises:
        AmountError: the text is not an amount, or is 0.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or not float(found[1]):
        raise AmountError(f"{text!r} is not an amount of memory; write for example 500M or 2G")
    base = 1000 if (found[3] or "").lower() == "b" and found[2] else 1024
    return int(float(found[1]) * base ** _POWERS.index(found[2].lower()))


def used_memory(statistics: Path = _STATISTICS) -> int:
    """Return the bytes of memory that this process occupies; 0 if the file with Linux's statistics is missing."""
    try:
        return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError, ValueError):
        return 0


def available_memory(root: Path = _ROOT) -> int | None:
    """Return the bytes that this process can take without swapping or exceeding the limit of its container or job.

    This is the minimum of the machine's available memory and the remaining memory of each control group above this
    process. Pages of files that the kernel can drop count as free. None if the system does not report them.

    Args:
        root: the root of the file system with ``/proc`` and ``/sys``.
    """
    rooms = [room for room in (_machine(root), *_groups(root)) if room is not None]
    return max(min(rooms), 0) if rooms else None


def _machine(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _groups(root: Path) -> Iterator[int | None]:
    """Yield the remaining memory of each control group above this process; inside a container, of the mount."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        for controller, mount, *files in _CONTROLLERS:
            if controller in controllers.split(","):
                top = root / mount
                group = top / path.strip("/")
                yield from (_room(folder, *files) for folder in (group, *group.parents) if folder.is_relative_to(top))


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

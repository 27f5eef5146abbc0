"""Memory: available to this process, used by it, and amounts in text, such as ``2G``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from simtool.errors import SimtoolError
from simtool.system.groups import ROOT, folders_of, lines_of, number_in

__all__ = ["AmountError", "available_memory", "bytes_of", "memory_limit", "total_memory", "used_memory"]

_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(b|ib)?\s*", re.IGNORECASE)
_POWERS = ("", "k", "m", "g", "t")
_STATISTICS = Path("/proc/self/statm")


class _Files(NamedTuple):
    """The files of a control group for its limit and its usage, and its statistic of pages that the kernel can drop."""

    limit: str
    usage: str
    droppable: str


#: By the version of the control group.
_FILES = {
    1: _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: _Files("memory.max", "memory.current", "inactive_file"),
}


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


def available_memory(root: Path = ROOT) -> int | None:
    """Return the bytes that this process can take without swapping or exceeding the limit of its container or job.

    This is the minimum of the machine's available memory and the remaining memory of each control group above this
    process. Pages of files that the kernel can drop count as free. None if the system does not report them.

    Args:
        root: the root of the file system with ``/proc`` and ``/sys``.
    """
    rooms = [room for room in (_machine(root, "MemAvailable"), *_groups(root)) if room is not None]
    return max(min(rooms), 0) if rooms else None


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the smallest limit of the control groups above this process, in bytes; None without a limit.

    Groups of version 1 without a limit state a number beyond the memory of the machine.
    """
    limits = (number_in(folder / _FILES[version].limit) for version, folder in folders_of("memory", root))
    least = min((limit for limit in limits if limit is not None), default=None)
    machine = _machine(root, "MemTotal")
    return None if least is None or (machine is not None and least >= machine) else least


def total_memory(root: Path = ROOT) -> int | None:
    """Return the bytes that this process can take at most: the limit of its job, else the machine's memory."""
    return memory_limit(root) or _machine(root, "MemTotal")


def _machine(root: Path, label: str) -> int | None:
    """A line of ``/proc/meminfo``, in bytes."""
    for line in lines_of(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == label:
            return int(value.split()[0]) * 1024
    return None


def _groups(root: Path) -> Iterator[int | None]:
    """Yield the remaining memory of each control group above this process."""
    for version, folder in folders_of("memory", root):
        files = _FILES[version]
        most, used = number_in(folder / files.limit), number_in(folder / files.usage)
        if most is None or used is None:
            continue
        statistics = dict(line.split(maxsplit=1) for line in lines_of(folder / "memory.stat"))
        yield most - used + int(statistics.get(files.droppable, 0))

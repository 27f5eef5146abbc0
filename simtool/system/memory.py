"""How much memory this process may still take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_memory"]

_ROOT = Path("/")


def available_memory(root: Path = _ROOT) -> int | None:
    """The bytes that can be taken without swapping and without breaking the limit of a container or a job.

    It is the least of what the machine has available and what each control group above this process leaves, where
    pages of files that the kernel can drop count as free.

    Args:
        root: of the file system that ``/proc`` and ``/sys`` are in.

    Returns:
        bytes; None where the system does not tell.
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
    """What each group of version 2 leaves, from this process's own up to the root."""
    for folder in _groups(root, "", root / "sys/fs/cgroup"):
        yield _room(folder, "memory.max", "memory.current", "inactive_file")


def _version_1(root: Path) -> Iterator[int | None]:
    for folder in _groups(root, "memory", root / "sys/fs/cgroup/memory"):
        yield _room(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _groups(root: Path, controller: str, mount: Path) -> Iterator[Path]:
    """The folders of the control groups that a controller counts this process in; inside a container, the mount."""
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
    """The number in a file; None where there is no file, or where it says ``max``."""
    text = "".join(_lines(path))
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

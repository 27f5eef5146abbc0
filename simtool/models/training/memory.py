"""How much memory this process may still take, and what to say where that is too little."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from simtool.models.errors import ModelError

__all__ = ["available_memory", "refuse_without_room", "smaller_batches"]

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


def refuse_without_room(needed: int, room: int | None, others: Iterable[tuple[str, int]], otherwise: str) -> None:
    """Refuse a training that will not fit in memory, before hours are spent on it.

    Args:
        needed: bytes, at the most.
        room: bytes that may be taken; None where nobody knows.
        others: options that take less, the likeliest first, and the bytes that each of them needs.
        otherwise: what would fit where none of them does.

    Raises:
        ModelError: says what would fit.
    """
    if room is None or needed <= room:
        return
    fitting = next((f"{options} would fit" for options, taken in others if taken <= room), otherwise)
    raise ModelError(
        f"this training needs about {needed / 1e9:.1f} GB of memory, {room / 1e9:.1f} GB are free; {fitting}"
    )


def smaller_batches(batch_size: int) -> list[int]:
    """Half of it, a quarter, and so on down to 1."""
    return [batch_size >> halvings for halvings in range(1, batch_size.bit_length())]

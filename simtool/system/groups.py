"""The control groups of Linux that limit this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["ROOT", "folders_of", "lines_of", "number_in"]

ROOT = Path("/")


def folders_of(controller: str, root: Path = ROOT) -> Iterator[tuple[int, Path]]:
    """Yield the version and the folder of each group above this process that has a controller (``memory``, ``cpu``).

    The nearest group is first. Inside a container, the groups begin at the mount.

    Args:
        controller: its name in version 1; groups of version 2 have all controllers.
        root: the root of the file system with ``/proc`` and ``/sys``.
    """
    for line in lines_of(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(top):
                yield (1 if controllers else 2), folder


def number_in(path: Path) -> int | None:
    """Return the number in a file; None without a file, or for ``max``."""
    text = "".join(lines_of(path))
    return int(text) if text.isdigit() else None


def lines_of(path: Path) -> list[str]:
    """The lines of a file; none if it cannot be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

"""SLURM's short notations for nodes and for tasks per node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["expand_counts", "expand_hosts"]

_Item = TypeVar("_Item")

_COUNT = re.compile(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
#: Nodes, or tasks of a node; SLURM knows at most 65,533 nodes.
_MOST = 1 << 17


def expand_hosts(text: str) -> list[str]:
    """The nodes of a host list in SLURM's order: ``gpu[09-10,12],login1`` are gpu09, gpu10, gpu12 and login1.

    Args:
        text: as in ``SLURM_JOB_NODELIST``; a name may hold several brackets.

    Raises:
        ValueError: it is no host list.
    """
    # A comma separates names unless it stands within brackets.
    return _bounded(host for pattern in re.split(r",(?![^\[]*\])", text) for host in _expand(pattern))


def _bounded(items: Iterable[_Item]) -> list[_Item]:
    """As a list, which a few digits too many do not fill the memory with.

    Raises:
        ValueError: there are more than any cluster has.
    """
    found = list(islice(items, _MOST + 1))
    if len(found) > _MOST:
        raise ValueError(f"more than {_MOST:,} nodes")
    return found


def _expand(pattern: str) -> Iterator[str]:
    head, bracket, rest = pattern.partition("[")
    ranges, closed, tail = rest.partition("]")
    if bool(bracket) != bool(closed) or not pattern or set("[]") & set(head + ranges):
        raise ValueError(f"{pattern!r} is not a name of SLURM's nodes")
    if not bracket:
        yield pattern
        return
    for part in ranges.split(","):
        for number in _numbers(part):
            yield from (head + number + end for end in (_expand(tail) if tail else [""]))


def _numbers(text: str) -> Iterator[str]:
    """``08-10`` as 08, 09 and 10."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a range of SLURM's nodes")
    first, last = match[1], match[2] or match[1]
    for number in range(int(first), int(last) + 1):
        yield f"{number:0{len(first)}d}"


def expand_counts(text: str) -> list[int]:
    """The tasks of each node: ``2(x3),1`` are 2, 2, 2 and 1.

    Args:
        text: as in ``SLURM_STEP_TASKS_PER_NODE``.

    Raises:
        ValueError: it is something else.
    """
    matches = [_COUNT.fullmatch(part) for part in text.split(",")]
    if not all(matches):
        raise ValueError(f"{text!r} is not a number of tasks for each node")
    return _bounded(int(match[1]) for match in matches if match for _ in range(int(match[2] or 1)))

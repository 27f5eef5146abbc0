"""Shards: the parts of a table of images, one for each process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError, UsageError

__all__ = ["Shard", "ShardError", "chosen_shard"]

#: The text that asks for all images, also in a task of a SLURM array.
_WHOLE = "none"


class ShardError(SimtoolError):
    """The environment of a SLURM task does not determine its part."""


@dataclass(frozen=True)
class Shard:
    """One of several parts of nearly equal size.

    Attributes:
        index: of this part, from 0.
        count: of all parts.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``I/N``.

        Raises:
            UsageError: it is something else, or I is not from 0 to N-1.
        """
        match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
        if match is None or not int(match[1]) < int(match[2]):
            raise UsageError(f"--shard takes I/N with I from 0 to N-1, for example 0/16, or {_WHOLE}; not {text}")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def from_slurm(cls, environ: Mapping[str, str]) -> Self | None:
        """The part of this task of a SLURM array, of ``srun``, or of ``srun`` within an array.

        Arrays may start at any number and have a step: ``--array=1-4`` and ``--array=0-6:2`` are four parts each.

        Returns:
            None without SLURM, or for a single task.

        Raises:
            ShardError: the array has gaps, or a single task from 2 on, for example because it repeats failed tasks, so
                that the number of parts is unknown; or a variable is missing or not valid, for example because only
                some variables were passed on.
        """
        index, count = _array_task(environ)
        tasks = _variable(environ, "SLURM_STEP_NUM_TASKS") if "SLURM_STEP_NUM_TASKS" in environ else 1
        if tasks > 1:
            rank = _variable(environ, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
            if rank >= tasks:
                raise _unclear(f"SLURM_PROCID is {rank}, but there are {tasks} tasks")
            index, count = index * tasks + rank, count * tasks
        return cls(index, count) if count > 1 else None

    def rows(self, total: int) -> NDArray[np.intp]:
        """The positions of this part in a table of ``total`` rows; they are consecutive."""
        return np.arange(total * self.index // self.count, total * (self.index + 1) // self.count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def chosen_shard(text: str | None, environ: Mapping[str, str]) -> Shard | None:
    """The part that ``--shard`` asks for; without the option, the part of a SLURM task.

    Returns:
        None for all images.

    Raises:
        UsageError: the text is something else.
        ShardError: see :meth:`Shard.from_slurm`.
    """
    if text is None:
        return Shard.from_slurm(environ)
    return None if text == _WHOLE else Shard.parse(text)


def _array_task(environ: Mapping[str, str]) -> tuple[int, int]:
    """The number of this task in its SLURM array, from 0, and the number of tasks."""
    if "SLURM_ARRAY_TASK_ID" not in environ:
        return 0, 1
    names = [f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "MAX", "STEP", "COUNT")]
    task, first, last, step, count = (_variable(environ, name, names[0]) for name in names)
    if step < 1 or count < 1 or first + step * (count - 1) != last or task not in range(first, last + 1, step):
        raise _unclear(f"task {task} of a SLURM array with gaps does not determine which of how many parts it is")
    if count == 1 and task > 1:
        raise _unclear(
            f"task {task} is the only one of its SLURM array, which does not say of how many parts it is one"
        )
    return (task - first) // step, count


def _variable(environ: Mapping[str, str], name: str, because: str | None = None) -> int:
    """A variable of SLURM that holds a number, not below 0; ``because`` names the variable that needs it."""
    if name not in environ:
        raise _unclear(f"{because} is set, but {name} is not")
    if re.fullmatch(r"[0-9]{1,9}", environ[name]) is None:
        raise _unclear(f"{name} is {environ[name]!r}, not a number")
    return int(environ[name])


def _unclear(reason: str) -> ShardError:
    return ShardError(f"{reason}; use --shard I/N for one part of N, or --shard none for all images")

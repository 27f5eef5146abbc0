"""Other readers: the kind of a file, and the part that a task of SLURM embeds."""

from __future__ import annotations

from pathlib import Path
from random import Random

from simtool.images.shards import Shard
from simtool.kinds import Kind, kind_of
from tests.fuzz import images, models, packed, psiz, tables, triplets, values
from tests.fuzz.case import Door, Made
from tests.fuzz.verdict import complaint_about

__all__ = ["DOORS"]

_READERS = (*tables.DOORS, *triplets.DOORS, *psiz.DOORS, *images.DOORS, *packed.DOORS, *models.DOORS[:2])
_SUFFIXES = (".parquet", ".csv", ".json", ".hdf5", ".zip", ".png", ".keras", ".npy", "")


def _anything(chance: Random, folder: Path) -> Made:
    door = chance.choice([door for door in _READERS if door.structured])
    assert door.structured is not None
    return _under_another_name(door.structured(chance, folder), chance)


def _damaged(chance: Random, folder: Path) -> Made:
    door = chance.choice([door for door in _READERS if door.valid])
    assert door.valid is not None
    made = door.valid(chance, folder)
    made.judge = _judge_kind
    return made


def _under_another_name(made: Made, chance: Random) -> Made:
    made.judge, made.neutral = _judge_kind, False
    if made.path.is_file():
        made.path = made.path.rename(made.path.with_suffix(chance.choice(_SUFFIXES)))
        made.files = ()
    return made


def _judge_kind(found: Kind) -> str | None:
    return complaint_about(found.description.replace("\\", ""))


def _environment(chance: Random, folder: Path) -> Made:
    """The environment variables of a task; some have unusual values."""
    count, start, step, tasks = (
        chance.choice((1, 4, 16)),
        chance.choice((0, 1, 5)),
        chance.choice((1, 2)),
        chance.choice((1, 3)),
    )
    at, rank = chance.randrange(count), chance.randrange(tasks)
    environ = {
        "SLURM_ARRAY_TASK_ID": str(start + at * step),
        "SLURM_ARRAY_TASK_MIN": str(start),
        "SLURM_ARRAY_TASK_MAX": str(start + step * (count - 1)),
        "SLURM_ARRAY_TASK_STEP": str(step),
        "SLURM_ARRAY_TASK_COUNT": str(count),
        "SLURM_STEP_NUM_TASKS": str(tasks),
        "SLURM_PROCID": str(rank),
    }
    if chance.random() < 0.2:
        expected = Shard(at * tasks + rank, count * tasks) if count * tasks > 1 else None
        return Made(
            folder / "environment",
            "whole",
            lambda found: None if found == expected else f"{found}",
            True,
            other=environ,
        )
    words = []
    for _ in range(chance.choice((1, 2, 3))):
        name = chance.choice(list(environ))
        if chance.random() < 0.4:
            del environ[name]
        else:
            environ[name] = chance.choice(
                (values.text(chance), str(values.number(chance)), "4 ", "+4", "0x4", "04", "4_0")
            )
        words.append(f"{name}={environ.get(name)!r:.30}")
        if not environ:
            break
    return Made(folder / "environment", " ".join(words), _judge_shard, other=environ, names=("SLURM",))


def _judge_shard(found: Shard | None) -> str | None:
    return None if found is None or 0 <= found.index < found.count else f"part {found}"


DOORS = (
    Door("kinds", lambda made: kind_of(made.path), _anything, _damaged, (1500, 1000)),
    Door("slurm", lambda made: Shard.from_slurm(made.other), _environment, None, (800, 0)),
)

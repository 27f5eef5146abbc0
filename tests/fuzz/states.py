"""Files and variables of earlier runs and of the cluster: locks, notes of downloads, names of workers."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from simtool.archive.partial import Origin, Partial
from simtool.system.lock import NAME, alone_in
from simtool.training.devices import worker_of
from simtool.training.slurm import cluster_from_slurm
from tests.fuzz import documents, values
from tests.fuzz.case import Door, Judge, Made
from tests.fuzz.damage import damaged

__all__ = ["DOORS"]


def _content(document: Any, chance: Random) -> tuple[str, bytes]:
    """A document with a change, or damaged."""
    if chance.random() < 0.3:
        return damaged(json.dumps(document).encode(), chance)
    words, document = documents.changed(document, chance)
    return words, documents.text_of(document, chance)


def _lock(chance: Random, folder: Path) -> Made:
    """The lock file of a killed process."""
    held = {"pid": 2**22 + 5, "host": "node", "purpose": "embed", "since": "2026", "job": None}
    words, content = _content(held, chance)
    (folder / "data").mkdir()
    (folder / "data" / NAME).write_bytes(content)
    return Made(folder / "data", words, lambda found: None if found else "not held", neutral=True)


def _take(made: Made) -> bool:
    with alone_in(made.path, "fuzz", patience=0):
        return True


def _partial(chance: Random, folder: Path) -> Made:
    """The beginning of a download, and its note."""
    origin = {"url": "http://x/file.zip", "total": 100, "validator": "tag"}
    words, content = _content(origin, chance)
    (folder / "file.zip.part").write_bytes(b"x" * 10)
    (folder / "file.zip.part.json").write_bytes(content)
    return Made(folder / "file.zip", words, _judge_origin, neutral=True)


def _judge_origin(found: Origin | None) -> str | None:
    if found is None:
        return None
    types = (found.url, str), (found.total, int | None), (found.validator, str | None)
    return next((f"{value!r:.60}" for value, kind in types if not isinstance(value, kind)), None)


def _steps(chance: Random, folder: Path) -> Made:
    """The variables of a step of SLURM with several tasks."""
    environ = {
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_PROCID": str(chance.randrange(4)),
        "SLURM_STEP_NODELIST": "gpu[08-09]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_DISTRIBUTION": "block",
        "SLURM_JOB_ID": "17",
        "SLURM_STEP_ID": "0",
    }
    environ["SLURM_NODEID"] = str(int(environ["SLURM_PROCID"]) // 2)
    odd = (
        "gpu[1-99999999999]",
        "a[0-99999]b[0-99999]c[0-9]",
        "2(x99999999999)",
        "gpu[",
        "[]",
        "2(x)",
        "-1",
        "²",
        "9" * 5000,
    )
    words = []
    for _ in range(chance.choice((1, 1, 2))):
        name = chance.choice(sorted(environ))
        if chance.random() < 0.2:
            del environ[name]
        else:
            environ[name] = chance.choice((*odd, values.text(chance), str(values.number(chance))))
        words.append(f"{name}={environ.get(name)!r:.30}")
    return Made(folder / "environment", " ".join(words), _judge_cluster, other=environ, names=("SLURM", "srun"))


def _judge_cluster(found: dict[str, Any] | None) -> str | None:
    if found is None:
        return None
    workers, index = found["cluster"]["worker"], found["task"]["index"]
    return None if 0 <= index < len(workers) == len(set(workers)) else f"{found!r:.200}"


def _task(chance: Random, folder: Path) -> Made:
    """TensorFlow's own variable."""
    content = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    words, raw = _content(content, chance)
    text = raw.decode("utf-8", "surrogateescape")
    return Made(folder / "environment", words, _judge_worker(text), other=text, names=("TF_CONFIG",))


def _judge_worker(text: str) -> Judge:
    return lambda found: None if 0 <= found.index < found.count else f"{found} of {text:.100}"


DOORS = (
    Door("locks", _take, _lock, None, (400, 0)),
    Door("partials", lambda made: Partial(made.path).origin, _partial, None, (400, 0)),
    Door("clusters", lambda made: cluster_from_slurm(made.other, list), _steps, None, (600, 0)),
    Door("tasks", lambda made: worker_of(made.other), _task, None, (400, 0)),
)

"""Trainings by their real commands, killed at random moments and started again until they are done."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from simtool.training.checkpoints import Checkpoints
from simtool.training.folder import TRAINING

__all__ = ["Run", "log", "train"]

#: The last kill comes before this share of the steps, so that each of them meets a training that is not done.
_KILLED_SHARE = 0.7
#: Seconds, at most, from a checkpoint to the kill: a few steps, an evaluation, the next checkpoint.
_LATER = 0.05
#: Seconds that a run may take to get to a new checkpoint, or to its end.
_PATIENCE = 120


@dataclass(frozen=True)
class Run:
    """A process that has ended.

    Attributes:
        signal: that it was sent; None for one that was left alone.
        code: that it exited with.
        began: the step of the checkpoint that it found; -1 where there was none.
        reached: the step of the newest checkpoint that was there when the signal was sent.
        said: its standard error.
    """

    signal: Signals | None
    code: int
    began: int
    reached: int
    said: str


def train(command: Sequence[str | Path], out: Path, steps: int, signals: Sequence[Signals], seed: int) -> list[Run]:
    """Run a command once for each signal that it gets while it trains, and once more to the end.

    Args:
        command: the arguments of simtool but for the model folder.
        out: the model folder.
        steps: of the whole training.
        signals: in their order.
        seed: of the moments.
    """
    chance = random.Random(seed)
    # Each kill waits for a step, and then for a moment: it comes anywhere within a step, a checkpoint, an evaluation.
    moments = sorted(chance.sample(range(int(_KILLED_SHARE * steps)), len(signals)))
    words = [sys.executable, "-m", "simtool", *command, "--out", out]
    runs = [_run(words, out, at, number, chance) for number, at in zip(signals, moments, strict=True)]
    return [*runs, _run(words, out, steps, None, chance)]


def log(out: Path) -> list[dict[str, str]]:
    """The rows of a training's log without the times."""
    with (out / TRAINING / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in ("time", "seconds")} for row in csv.DictReader(file)]


def _run(words: Sequence[str | Path], out: Path, at: int, number: Signals | None, chance: random.Random) -> Run:
    """Start a command; send it a signal when it has gone on, and a step has been reached."""
    began = reached = _newest(out)
    errors = out.with_name(f"{out.name}.err")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    with errors.open("w") as file, subprocess.Popen(words, stdout=file, stderr=file, env=environment) as process:
        if number is not None:
            end = time.monotonic() + _PATIENCE
            while (reached <= began or reached < at) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
                reached = _newest(out)
            time.sleep(chance.uniform(0, _LATER))
            process.send_signal(number)
        code = process.wait(_PATIENCE)
    return Run(number, code, began, reached, errors.read_text())


def _newest(out: Path) -> int:
    """The step of the newest checkpoint; -1 where there is none."""
    files = Checkpoints(out / TRAINING / "checkpoints").files()
    return int(files[0].stem.removeprefix("step-")) if files else -1

"""Run a training by its real command, kill it at random moments, and start it again until it is complete."""

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

#: The last kill happens before this fraction of the steps, so that every kill interrupts the training.
_KILLED_SHARE = 0.7
#: The longest time in seconds from a checkpoint to the kill. It covers a few steps, an evaluation and a checkpoint.
_LATER = 0.05
#: The longest time in seconds until a run writes a new checkpoint or ends.
_PATIENCE = 120


@dataclass(frozen=True)
class Run:
    """A process that ended.

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
    """Run a command once per signal, and once more to the end.

    Args:
        command: the arguments of simtool without the model folder.
        out: the model folder.
        steps: of the whole training.
        signals: in their order.
        seed: of the moments.
    """
    chance = random.Random(seed)
    # Each kill waits for a step and then for a random time. It can interrupt a step, a checkpoint or an evaluation.
    moments = sorted(chance.sample(range(int(_KILLED_SHARE * steps)), len(signals)))
    words = [sys.executable, "-m", "simtool", *command, "--out", out]
    runs = [_run(words, out, at, number, chance) for number, at in zip(signals, moments, strict=True)]
    return [*runs, _run(words, out, steps, None, chance)]


def log(out: Path) -> list[dict[str, str]]:
    """The rows of the log of a training, without times."""
    with (out / TRAINING / "log.csv").open(newline="") as file:
        clock = ("time", "seconds", "waiting")
        return [{k: v for k, v in row.items() if k not in clock} for row in csv.DictReader(file)]


def _run(words: Sequence[str | Path], out: Path, at: int, number: Signals | None, chance: random.Random) -> Run:
    """Start a command, and send a signal after it resumed and reached a step."""
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
    """The step of the newest checkpoint; -1 without checkpoints."""
    files = Checkpoints(out / TRAINING / "checkpoints").files()
    return int(files[0].stem.removeprefix("step-")) if files else -1

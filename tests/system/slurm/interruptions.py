"""A training that pauses at known places, so that a test can interrupt it there, on one node or on several."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.system.slurm.conftest import ENVIRONMENT, ONE_THREAD, ROOT, Project, assert_same_weights, simtool

__all__ = ["IMAGES", "OPTIONS", "Interrupted", "Place", "train_interrupted", "whole"]

IMAGES = "my study/birds/images.parquet"
OPTIONS = ("--preset", "tiny", "--validation", "0.5", "--batch-size", "16", "--steps", "1", "--epochs", "3")
#: A text that a training prints: where it is.
Place = str
Interrupted = Callable[[Project, str], object]

_PAUSING = """\
#!{python}
import sys, time
from contextlib import contextmanager

def pause(place):
    print("at:", place, flush=True)
    time.sleep({seconds})

print("at: the start", flush=True)
from simtool.cli import main
from simtool.stages import training
from simtool.training.evaluation import Evaluation

completed, means, decoded = training.completed_folder, Evaluation.means, training._decoded

@contextmanager
def slowly(path):
    with completed(path) as temporary:
        yield temporary
        pause("the final save")

def after_pauses(self, after_batch):
    def after():
        pause("an evaluation")
        after_batch()
    return means(self, after)

def decoding(*arguments):
    pause("the decoding")
    return decoded(*arguments)

training.completed_folder, Evaluation.means, training._decoded = slowly, after_pauses, decoding
sys.exit(main())
"""


def whole(project: Project, options: Sequence[str] = OPTIONS) -> Path:
    """The model of the same training without SLURM and without interruptions."""
    simtool("train-glow", IMAGES, "--out", "whole", *options, cwd=project.home, more=ONE_THREAD)
    return project.home / "whole"


def train_interrupted(
    project: Project, interruptions: Sequence[tuple[Place, Interrupted]], *submitted: str, seconds: float = 2.5
) -> str:
    """Train Glow in the folder ``model``, interrupted once in each run; return the job, which is complete.

    Args:
        project: holds the images.
        interruptions: a place in each run, and what happens there to the job.
        submitted: options of sbatch.
        seconds: the length of each pause.
    """
    program = project.home / "pausing" / "bin" / "simtool"
    program.parent.mkdir(parents=True)
    program.write_text(_PAUSING.format(python=ENVIRONMENT / "bin" / "python", seconds=seconds))
    program.chmod(0o755)
    with (project.home / "jobscripts" / "site.env").open("a") as file:
        file.write(f"VENV='{program.parents[1]}'\nexport PYTHONPATH='{ROOT}'\n")
    options = ("--cpus-per-task=1", *submitted)
    job = project.submit("train-glow", *options, arguments=(IMAGES, "--out", "model", *OPTIONS))
    for run, (place, interrupt) in enumerate(interruptions):
        project.slurm.until(lambda: place in _runs(project, job, run), 120, f"{place} in run {run}")  # noqa: B023 - at once
        interrupt(project, job)
        project.slurm.until(
            lambda: int(project.slurm.show(job)["Restarts"]) > run,  # noqa: B023 - at once
            120,
            f"the queue after run {run}",
        )
    project.finished(job)
    return job


def _runs(project: Project, job: str, run: int) -> str:
    """The log of a job from its ``run``-th start on."""
    starts = [match.start() for match in re.finditer("at: the start", project.log(job))]
    restarts = [start for number, start in enumerate(starts) if number >= run]
    return project.log(job)[restarts[0] :] if restarts else ""


def signaled_twice(project: Project, job: str) -> None:
    """SLURM's signal before a time limit, and a second one while the training saves."""
    for _ in range(2):
        project.slurm.run("scancel", "--signal=USR1", job, check=False)
        time.sleep(1.2)


def signaled(project: Project, job: str) -> None:
    """SLURM's signal before a time limit."""
    project.slurm.run("scancel", "--signal=USR1", job)


def preempted(project: Project, job: str) -> None:
    """Another job takes the node."""
    del job
    project.slurm.preempt("n1")


def assert_nothing_is_lost(project: Project, expected: Path) -> None:
    """The model has the weights of an uninterrupted training, each epoch is logged once, and no file is half."""
    assert_same_weights(project.home / "model", expected)
    epochs = [
        (folder / "training" / "log.csv").read_text().splitlines() for folder in (project.home / "model", expected)
    ]
    assert [line.split(",")[:2] for line in epochs[0]] == [line.split(",")[:2] for line in epochs[1]]
    assert {path.name for path in (project.home / "model").iterdir()} == {path.name for path in expected.iterdir()}

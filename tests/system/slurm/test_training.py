"""Training under SLURM: two nodes, or an interrupted training, give the same weights as one process."""

from __future__ import annotations

import csv
import re
import time
from pathlib import Path

import numpy as np
import pytest

from simtool.system.cuda import find_driver
from tests.system.slurm.conftest import ONE_THREAD, Project, assert_same_weights, simtool

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

IMAGES = "my study/birds/images.parquet"
TINY = ("--preset", "tiny", "--validation", "0.5", "--batch-size", "16")
#: Options of each command for 50 epochs of one step. Rounding errors grow from step to step: with the learning rate of
#: its preset, a small classifier multiplies them by a thousand within ten steps, also in one process.
FIFTY = {
    "train-glow": (*TINY, "--steps", "1", "--epochs", "50", "--set", "evaluate-every=10"),
    "train-resnet": (*TINY, "--epochs", "50", "--set", "evaluate-every=10", "--learning-rate", "1e-5"),
}
#: Seconds until the other tasks have stopped and the job is in the queue: srun --wait, SLURM's KillWait, and a margin.
BOUND = 90


def losses(model: Path) -> list[float]:
    """The training loss of each epoch."""
    with (model / "training" / "log.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def wait_for_epochs(project: Project, job: str, run: int) -> None:
    """Wait until a job runs for the ``run``-th time and has completed some epochs."""

    def epochs() -> int:
        runs = project.log(job).split("read   ")[1:]
        return len(set(re.findall(r"epoch (\d+) of \d+: loss", runs[-1]))) if len(runs) == 2 * run else 0

    project.slurm.until(lambda: epochs() >= 3, 300, f"epochs of run {run}")


def wait_for_restart(project: Project, job: str, restarts: int) -> float:
    """Wait until a job is in the queue again, and return the seconds."""
    started = time.monotonic()
    project.slurm.until(lambda: int(project.slurm.show(job)["Restarts"]) == restarts, 2 * BOUND, "the queue")
    return time.monotonic() - started


@pytest.mark.parametrize(("command", "lost", "signaled"), [("train-glow", 1, True), ("train-resnet", 0, False)])
def test_two_nodes_train_as_one_process_does_even_if_a_worker_dies(
    birds: Project, command: str, lost: int, signaled: bool
) -> None:
    def submit(out: str) -> str:
        arguments = (IMAGES, "--out", out, *FIFTY[command])
        return birds.submit(command, "--nodes=2", "--cpus-per-task=1", arguments=arguments)

    stopped, whole = submit("stopped"), submit("whole")
    wait_for_epochs(birds, stopped, run=1)
    birds.slurm.kill_task(stopped, lost)
    assert wait_for_restart(birds, stopped, 1) < BOUND
    if signaled:
        wait_for_epochs(birds, stopped, run=2)
        birds.slurm.run("scancel", "--signal=USR1", stopped)
        assert wait_for_restart(birds, stopped, 2) < BOUND
    simtool(command, IMAGES, "--out", "one", *FIFTY[command], cwd=birds.home, more=ONE_THREAD)
    for job in (whole, stopped):
        birds.finished(job)

    expected = losses(birds.home / "one")
    assert len(expected) == 50
    np.testing.assert_allclose(losses(birds.home / "whole"), expected, rtol=1e-4)
    assert_same_weights(birds.home / "stopped", birds.home / "whole")


def test_a_gpu_that_cannot_be_used_is_refused_unless_the_processor_is_asked_for(birds: Project) -> None:
    if find_driver().failure is None:
        pytest.skip("needs a machine without a GPU")
    options = (*TINY, "--steps", "1", "--epochs", "1")
    jobs = {
        out: birds.submit("train-glow", "--gres=gpu:1", arguments=(IMAGES, "--out", out, *options, *more))
        for out, more in {"refused": (), "processor": ("--device", "cpu")}.items()
    }
    birds.finished(jobs["processor"])
    birds.slurm.wait(jobs["refused"])
    [line] = [line for line in birds.log(jobs["refused"]).splitlines() if line.startswith("error: ")]
    assert re.match(r"error: SLURM gave this job a GPU \(\w+=\d\), but TensorFlow finds none: libcuda.so.1", line)
    assert not (birds.home / "refused").exists()

"""Training under SLURM: what is stopped goes on to the same weights, and two nodes do what one does."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from simtool.models.folder import MANIFEST
from tests.system.slurm.conftest import Project, simtool

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

IMAGES = "study/birds/images.parquet"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
TINY = ("--preset", "tiny", "--validation", "0.5", "--steps", "1", "--batch-size", "8")


@pytest.fixture
def birds(project: Project, toys: Path) -> Project:
    shutil.copytree(toys, project.study / "birds")
    return project


def weights(model: Path) -> dict[str, np.ndarray]:
    """The arrays of a trained model."""
    assert (model / MANIFEST).is_file()
    with np.load(next(model.glob("*.npz"))) as file:
        return {name: file[name] for name in file.files}


def _stop_in(project: Project, job: str, run: int) -> None:
    """Signal a training that runs for the ``run``-th time, after an epoch, and wait until it is in the queue again."""
    project.slurm.until(lambda: _runs(project, job) == run, 300, f"an epoch of run {run}")
    project.slurm.run("scancel", "--signal=USR1", job)
    project.slurm.until(lambda: int(project.slurm.show(job)["Restarts"]) == run, 60, "the queue")


def _runs(project: Project, job: str) -> int:
    """How often the job has begun and come as far as the end of an epoch."""
    return sum(re.search(r"epoch \d+ of \d+: loss", run) is not None for run in project.log(job).split("read   ")[1:])


def losses(model: Path) -> list[float]:
    """The training loss of each epoch."""
    with (model / "training" / "log.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_training_that_is_stopped_and_requeued_ends_with_the_same_weights(birds: Project) -> None:
    options = (*TINY, "--epochs", "60")
    job = birds.submit("train-glow", "--cpus-per-task=1", arguments=(IMAGES, "--out", "requeued", *options))
    for run in (1, 2):
        _stop_in(birds, job, run)
    simtool("train-glow", IMAGES, "--out", "whole", *options, cwd=birds.home, more=ONE_THREAD)
    birds.finished(job)
    requeued, whole = weights(birds.home / "requeued"), weights(birds.home / "whole")
    assert requeued.keys() == whole.keys()
    for name in whole:
        np.testing.assert_array_equal(requeued[name], whole[name], err_msg=name)


def test_two_nodes_train_as_one_process_does(birds: Project) -> None:
    options = (*TINY, "--epochs", "5")
    job = birds.submit("train-glow", "--nodes=2", "--cpus-per-task=1", arguments=(IMAGES, "--out", "two", *options))
    simtool("train-glow", IMAGES, "--out", "one", *options, cwd=birds.home, more=ONE_THREAD)
    birds.finished(job)
    two, one = losses(birds.home / "two"), losses(birds.home / "one")
    assert len(one) == 5
    np.testing.assert_allclose(two, one, rtol=1e-4)

"""Requeueing of training jobs, tested with a program that counts to a number and saves when it gets a signal."""

from __future__ import annotations

import re

import pytest

from tests.system.slurm.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

SIGNAL = ("scancel", "--signal=USR1")
#: SLURM 24.11 requeues a job that ends within the GraceTime itself. If the script was faster, the job runs once more.
RUNS_AFTER_PREEMPTION = (1, 2)

COUNTING = """
import os, pathlib, signal, sys, time

asked = []
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda *_: asked.append(1))
rank = os.environ.get("SLURM_PROCID", "0")
file, end = pathlib.Path(f"count-{rank}"), int(sys.argv[1])
count = int(file.read_text()) if file.exists() else 0
print(f"rank {rank} begins at {count}", flush=True)
while count < end:
    time.sleep(0.05)
    count += 1
    if asked:
        file.write_text(str(count))
        print(f"rank {rank} saved {count}", flush=True)
        sys.exit(85)
print(f"rank {rank} is done", flush=True)
"""


@pytest.fixture
def training(project: Project) -> Project:
    """A project in which the counting program replaces ResNet50."""
    (project.home / "counting.py").write_text(COUNTING)
    script = project.script("train-resnet")
    text = script.read_text()
    assert "train simtool train-resnet" in text
    script.write_text(text.replace("train simtool train-resnet", "train python3 counting.py"))
    return project


def begins(log: str, rank: int = 0) -> list[int]:
    return [int(count) for count in re.findall(rf"rank {rank} begins at (\d+)", log)]


def saves(log: str, rank: int = 0) -> list[int]:
    return [int(count) for count in re.findall(rf"rank {rank} saved (\d+)", log)]


def wait_for(project: Project, job: str, text: str, times: int = 1) -> None:
    project.slurm.until(lambda: project.log(job).count(text) >= times, 60, f"{text!r} in the log of job {job}")


def test_a_job_near_its_time_limit_saves_and_is_requeued(training: Project) -> None:
    job = training.submit("train-resnet", "--nodes=2", arguments=("60",))
    for count in (1, 2):
        for rank in (0, 1):
            wait_for(training, job, f"rank {rank} begins", count)
        training.slurm.run(*SIGNAL, job)
        for rank in (0, 1):
            wait_for(training, job, f"rank {rank} saved", count)
    training.finished(job)
    log = training.log(job)
    for rank in (0, 1):
        assert begins(log, rank) == [0, *saves(log, rank)]
        assert log.count(f"rank {rank} is done") == 1
    assert training.slurm.show(job)["Restarts"] == "2"


def test_a_canceled_job_is_not_requeued(training: Project) -> None:
    job = training.submit("train-resnet", arguments=("600",))
    wait_for(training, job, "rank 0 begins at 0")
    training.slurm.run("scancel", job)
    assert training.slurm.wait(job) == "CANCELLED"
    wait_for(training, job, "rank 0 saved")
    assert training.slurm.show(job)["Restarts"] == "0"


def test_a_failure_stays_a_failure(training: Project) -> None:
    job = training.submit("train-resnet", arguments=("many",))
    assert training.slurm.wait(job) == "FAILED"
    shown = training.slurm.show(job)
    assert (shown["Restarts"], shown["ExitCode"]) == ("0", "1:0")
    assert "ValueError" in training.log(job)


def test_a_training_that_is_killed_before_its_first_checkpoint_fails(training: Project) -> None:
    job = training.submit("train-resnet", arguments=("600",))
    wait_for(training, job, "rank 0 begins at 0")
    training.slurm.kill_task(job, rank=0)
    assert training.slurm.wait(job) == "FAILED"
    shown = training.slurm.show(job)
    assert (shown["Restarts"], shown["ExitCode"]) == ("0", "137:0")


def test_a_job_is_requeued_only_so_often(training: Project) -> None:
    job = training.submit("train-resnet", "--export=ALL,MOST_RESTARTS=0", arguments=("600",))
    wait_for(training, job, "rank 0 begins at 0")
    training.slurm.run(*SIGNAL, job)
    assert training.slurm.wait(job) == "FAILED"
    assert training.slurm.show(job)["ExitCode"] == "85:0"


def test_a_signal_before_the_training_starts_requeues_the_job(training: Project) -> None:
    (training.home / "counting.py").write_text("import time; print('starting', flush=True); time.sleep(3)")
    job = training.submit("train-resnet", arguments=("1",))
    wait_for(training, job, "starting")
    training.slurm.run(*SIGNAL, job)
    training.finished(job)
    assert training.log(job).count("starting") == 2


def test_a_preempted_job_saves_and_is_requeued(training: Project) -> None:
    job = training.submit("train-resnet", "--nodelist=n1", arguments=("60",))
    wait_for(training, job, "rank 0 begins at 0")
    training.slurm.preempt("n1")
    training.finished(job)
    log = training.log(job)
    (saved,) = saves(log)
    first, *others = begins(log)
    assert (first, set(others)) == (0, {saved})
    assert len(others) in RUNS_AFTER_PREEMPTION


def test_jobs_that_are_preempted_before_they_can_save_start_again(training: Project) -> None:
    """A training that still loads its libraries, and a stage that saves nothing on the way."""
    waiting = "import time; print('starting', flush=True); time.sleep(3)"
    (training.home / "counting.py").write_text(waiting)
    script = training.script("fit-pca")
    script.write_text(script.read_text().replace("run simtool fit-pca", "run python3 counting.py"))
    jobs = [
        training.submit(stage, "--nodelist=n1", "--requeue", arguments=("1",)) for stage in ("train-resnet", "fit-pca")
    ]
    for job in jobs:
        wait_for(training, job, "starting")
    training.slurm.preempt("n1")
    for job in jobs:
        training.finished(job)
        assert training.log(job).count("starting") - 1 in RUNS_AFTER_PREEMPTION


def test_a_heterogeneous_job_is_refused(training: Project) -> None:
    job = training.submit("train-resnet", ":", "--ntasks=1", arguments=("1",))
    assert training.slurm.wait(job) == "FAILED"
    assert "submit one job for all nodes" in training.log(job)
    assert "begins" not in training.log(job)


def test_a_task_of_an_array_is_requeued_alone(training: Project) -> None:
    job = training.submit("train-resnet", "--array=0-1", "--output=logs/%x-%A_%a.out", arguments=("30",))
    wait_for(training, f"{job}_1", "rank 0 begins at 0")
    training.slurm.run(*SIGNAL, f"{job}_1")
    training.finished(job)
    assert {shown["ArrayTaskId"]: shown["Restarts"] for shown in training.slurm.shown(job)} == {"0": "0", "1": "1"}


def test_a_job_whose_node_dies_starts_on_another(training: Project) -> None:
    job = training.submit("train-resnet", arguments=("60",))
    wait_for(training, job, "rank 0 begins at 0")
    node = training.slurm.show(job)["NodeList"]
    training.slurm.kill_node(node)
    try:
        training.slurm.run("scontrol", "update", f"nodename={node}", "state=down", "reason=power")
        training.finished(job)
        assert training.slurm.show(job)["NodeList"] != node
    finally:
        training.slurm.start_node(node)
    assert begins(training.log(job)) == [0, 0]

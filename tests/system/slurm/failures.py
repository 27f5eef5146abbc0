"""More interruptions of trainings, on one node and on several: preemption, lost nodes, restarted daemons.

They take minutes, since each run of a training starts TensorFlow again, and SLURM waits before it gives up a node. They
are not collected with the other tests; run them by

    python -m pytest -s tests/system/slurm/failures.py
"""

from __future__ import annotations

import time

import pytest

from tests.system.slurm.conftest import Project
from tests.system.slurm.interruptions import (
    IMAGES,
    OPTIONS,
    assert_nothing_is_lost,
    preempted,
    signaled,
    train_interrupted,
    whole,
)

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

#: Places in the order of one training, and what happens there.
EVERYWHERE = [
    ("the start", preempted),
    ("the start", signaled),
    ("the decoding", preempted),
    ("the decoding", signaled),
    ("an evaluation", preempted),
    ("an evaluation", signaled),
    ("the final save", signaled),
    ("the final save", preempted),
]


def test_a_training_that_is_interrupted_at_every_place(birds: Project) -> None:
    train_interrupted(birds, EVERYWHERE, "--nodelist=n1")
    assert_nothing_is_lost(birds, whole(birds))


@pytest.mark.parametrize("nodes", [2, 3])
def test_a_node_is_lost_while_its_workers_exchange_gradients(birds: Project, nodes: int) -> None:
    lost = f"n{nodes}"

    def power_cut(project: Project, job: str) -> None:
        started = time.monotonic()
        project.slurm.kill_node(lost)
        project.slurm.until(lambda: int(project.slurm.show(job)["Restarts"]) == 1, 180, "the queue")
        print(f"{nodes} nodes: in the queue after {time.monotonic() - started:.0f} s")  # noqa: T201 - seen with pytest -s
        project.slurm.start_node(lost)

    options = (f"--nodes={nodes}", "--partition=mixed")
    uninterrupted = birds.submit(
        "train-glow", *options, "--cpus-per-task=1", arguments=(IMAGES, "--out", "whole", *OPTIONS)
    )
    birds.finished(uninterrupted)
    train_interrupted(birds, [("an evaluation", power_cut)], *options)
    assert_nothing_is_lost(birds, birds.home / "whole")


def test_daemons_that_restart_disturb_no_training(birds: Project) -> None:
    def restart(project: Project, job: str) -> None:
        for daemon in ("slurmctld", "slurmd.n1", "slurmd.n2"):
            project.slurm.restart(daemon)
        assert project.slurm.state(job) == "RUNNING"
        signaled(project, job)

    options = ("--nodes=2", "--partition=mixed")
    train_interrupted(birds, [("the decoding", restart)], *options)
    whole_job = birds.submit(
        "train-glow", *options, "--cpus-per-task=1", arguments=(IMAGES, "--out", "whole", *OPTIONS)
    )
    birds.finished(whole_job)
    assert_nothing_is_lost(birds, birds.home / "whole")

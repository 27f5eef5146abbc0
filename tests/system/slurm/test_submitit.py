"""The study from Python with submitit, with a training that is preempted."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.system.slurm.conftest import Project, assert_same_weights
from tests.system.slurm.test_study import submitted
from tests.system.slurm.toy import rows

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]


def submit_study(project: Project, *options: str) -> dict[str, str]:
    """Submit the study with submitit, and return what the program prints for each stage."""
    program = (sys.executable, "-m", "workflow.study_submitit")
    return submitted(project.slurm.run(*program, *options, cwd=project.home))


def test_the_study_gives_the_same_figures_even_if_a_training_is_preempted(toy_study: Project, by_hand: Path) -> None:
    options = ("--exclusive", "--cpus-per-task=1")
    jobs = submit_study(toy_study, *options)
    assert submit_study(toy_study, *options) == jobs, "what is queued is not submitted again"
    log = toy_study.study / "logs" / f"{jobs['train-glow']}_0_log.out"
    toy_study.slurm.until(lambda: log.exists() and "epoch 3 of" in log.read_text(), 300, "the third epoch")
    toy_study.slurm.run("scancel", "--signal=USR1", jobs["train-glow"])
    toy_study.finished(jobs["report"])
    assert rows(toy_study.study) == rows(by_hand)
    assert toy_study.slurm.show(jobs["train-glow"])["Restarts"] == "1"
    assert len(re.findall("everything is saved", log.read_text())) == 1
    assert_same_weights(toy_study.study / "glow", by_hand / "glow")
    finished = submit_study(toy_study, *options)
    assert {finished[stage] for stage in jobs} == {"-"}

"""The whole study through SLURM, and the same stages without SLURM."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.system.slurm.conftest import Project
from tests.system.slurm.toy import rows

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]


def submitted(printed: str) -> dict[str, str]:
    """The output of study.sh for each stage: a job id, or a dash if the stage is complete."""
    return dict(re.findall(r"^(\S+) +(\S+)", printed, re.MULTILINE))


def test_the_study_gives_the_figures_of_the_same_chain_by_hand(toy_study: Project, by_hand: Path) -> None:
    options = ("--exclusive", "--cpus-per-task=1")
    toy_study.configure(f"LOCAL='{toy_study.home / 'local'}'")
    jobs = submitted(toy_study.submit_study(*options))
    assert (jobs["fetch-cub"], jobs["fetch-judgments"]) == ("-", "-")
    assert submitted(toy_study.submit_study(*options)) == jobs, "what is queued is not submitted again"
    toy_study.finished(jobs["report"])
    assert rows(toy_study.study) == rows(by_hand)
    copies = list((toy_study.home / "local").glob("simtool-*/birds/images.parquet"))
    assert len(copies) == 2, "both trainings read copies on the node's own disk"
    finished = submitted(toy_study.submit_study(*options))
    assert {finished[stage] for stage in jobs} == {"-"}

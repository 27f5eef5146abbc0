"""Vectors that an array of jobs writes, each task a part, where tasks fail."""

from __future__ import annotations

import random
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.embeddings import open_embeddings
from tests.system.slurm.conftest import ENVIRONMENT, Project, refused, simtool

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

PARTS = 4
KILLS = 10
IMAGES = ("birds/images.parquet", "--model", "pixels", "--size", "32")


def test_ten_tasks_killed_at_random_lose_and_duplicate_nothing(project: Project, toys: Path) -> None:
    chance, slurm, study, kills = random.Random(7), project.slurm, project.study, 0
    shutil.copytree(toys, study / "birds")
    project.configure(f"SHARDS={PARTS}")
    (study / "logs").mkdir()

    def embed(tasks: str) -> str:
        options = ("--exclusive", f"--chdir={study}", f"--array={tasks}")
        return project.submit("embed", *options, arguments=(*IMAGES, "--out", "vectors"))

    started = time.monotonic()
    project.finished(embed("0"))
    duration = time.monotonic() - started

    while kills < KILLS:
        if not (missing := parts_to_run(study)):
            chance.choice(sorted((study / "vectors").glob("*.parquet"))).unlink()
            continue
        job = embed(missing)
        while kills < KILLS and not slurm.has_ended(job):
            time.sleep(chance.uniform(0, duration))
            if running := [task["ArrayTaskId"] for task in slurm.shown(job) if task["JobState"] == "RUNNING"]:
                slurm.run("scancel", "--signal=KILL", f"{job}_{chance.choice(running)}", check=False)
                kills += 1
        slurm.wait(job)
    if missing := parts_to_run(study):
        project.finished(embed(missing))

    assert parts_to_run(study) == ""
    simtool("embed", *IMAGES, "--out", "whole.parquet", cwd=study)
    assert_parts_are_the_whole(study)


def test_the_tasks_of_a_job_make_a_part_each_of_an_array_too(project: Project, toys: Path) -> None:
    study = project.study
    shutil.copytree(toys, study / "birds")
    project.configure("SHARDS=2")
    (study / "logs").mkdir()
    arguments = (*IMAGES, "--out", "vectors")
    words = ("simtool", "embed", *arguments[:-1], "without-an-array")
    alone = project.slurm.submit(
        *(
            f"--chdir={study}",
            "--ntasks=3",
            "--output=logs/%x-%j.out",
            f"--wrap=srun {ENVIRONMENT}/bin/{' '.join(words)}",
        ),
        cwd=study,
    )
    options = (f"--chdir={study}", "--ntasks=2", "--cpus-per-task=1")
    jobs = [project.submit("embed", *options, f"--array={task}", arguments=arguments) for task in (1, 0)]
    simtool("embed", *IMAGES, "--out", "whole.parquet", cwd=study)
    for job in (alone, *jobs):
        project.finished(job)
    assert_parts_are_the_whole(study)
    assert len(list((study / "vectors").glob("*-of-00004.parquet"))) == 4
    assert len(list((study / "without-an-array").glob("*-of-00003.parquet"))) == 3
    assert (
        open_embeddings(study / "without-an-array").image_id.tolist()
        == open_embeddings(study / "whole.parquet").image_id.tolist()
    )


def assert_parts_are_the_whole(study: Path) -> None:
    whole, parts = open_embeddings(study / "whole.parquet"), open_embeddings(study / "vectors")
    assert parts.image_id.tolist() == whole.image_id.tolist()
    np.testing.assert_array_equal(parts.read(), whole.read())


def parts_to_run(study: Path) -> str:
    """The tasks that the score of an incomplete set asks for; none where it has no more to ask."""
    if len(list((study / "vectors").glob("*.parquet"))) == PARTS:
        return ""
    message = refused("score", "vectors", "--trials", "birds/trials.parquet", "--out", "outcomes.parquet", cwd=study)
    found = re.search(r"--array=([\d,-]+)\)", message)
    assert found, message
    return found[1]

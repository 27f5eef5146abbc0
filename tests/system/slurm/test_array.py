"""Vectors that an array of jobs writes, one part per task, if tasks fail."""

from __future__ import annotations

import math
import random
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.embeddings import open_embeddings
from tests.system.slurm.conftest import ENVIRONMENT, Project, refused, simtool
from tests.system.slurm.private import Slurm

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

PARTS = 4
KILLS = 10
PIXELS = ("--model", "pixels", "--size", "32")
IMAGES = ("birds/images.parquet", *PIXELS)


@pytest.fixture(scope="session")
def whole(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vectors of the toy birds, computed by one process."""
    table = tmp_path_factory.mktemp("whole") / "vectors.parquet"
    simtool("embed", toys / "images.parquet", *PIXELS, "--out", table)
    return table


def test_ten_tasks_killed_at_random_lose_and_duplicate_nothing(project: Project, toys: Path, whole: Path) -> None:
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
        job, moments = embed(missing), dict[str, float]()
        while kills < KILLS and not slurm.has_ended(job):
            for task in running(slurm, job):
                # a random moment for each task, within the time that it needs
                moment = moments.setdefault(task, time.monotonic() + chance.uniform(0, duration))
                if moment <= time.monotonic() and kills < KILLS:
                    slurm.run("scancel", "--signal=KILL", f"{job}_{task}", check=False)
                    moments[task] = math.inf
                    kills += 1
            time.sleep(0.05)
        slurm.wait(job)
    if missing := parts_to_run(study):
        project.finished(embed(missing))

    assert parts_to_run(study) == ""
    assert_parts_are_the_whole(study / "vectors", whole)


def test_the_tasks_of_a_job_make_a_part_each_of_an_array_too(project: Project, toys: Path, whole: Path) -> None:
    study = project.study
    shutil.copytree(toys, study / "birds")
    project.configure("SHARDS=2")
    (study / "logs").mkdir()
    arguments = (*IMAGES, "--out", "vectors")
    words = ("simtool", "embed", *arguments[:-1], "without-an-array")
    alone = project.slurm.submit(
        *(
            f"--chdir={study}",
            "--ntasks=2",
            "--output=logs/%x-%j.out",
            f"--wrap=srun {ENVIRONMENT}/bin/{' '.join(words)}",
        ),
        cwd=study,
    )
    options = (f"--chdir={study}", "--ntasks=2", "--cpus-per-task=1")
    jobs = [project.submit("embed", *options, f"--array={task}", arguments=arguments) for task in (1, 0)]
    for job in (alone, *jobs):
        project.finished(job)
    for table, parts in (("vectors", 4), ("without-an-array", 2)):
        assert_parts_are_the_whole(study / table, whole)
        assert len(list((study / table).glob(f"*-of-{parts:05}.parquet"))) == parts


def test_arrays_with_a_step_and_a_limit_make_each_part_once_and_only_whole_arrays_do(
    project: Project, toys: Path, whole: Path
) -> None:
    slurm, study = project.slurm, project.study
    shutil.copytree(toys, study / "birds")
    (study / "logs").mkdir()
    words = " ".join(("srun", f"{ENVIRONMENT}/bin/simtool", "embed", *IMAGES, "--out", "vectors"))

    def embed(tasks: str) -> str:
        options = (f"--chdir={study}", "--output=logs/embed-%A_%a.out", "--open-mode=append", f"--array={tasks}")
        return slurm.submit(*options, "--requeue", f"--wrap={words}", cwd=study)

    job = embed("1-10:3%2")
    slurm.until(lambda: len(running(slurm, job)) == 2, 60, "two running tasks")
    slurm.run("scontrol", "requeue", f"{job}_1")  # while task 4 writes
    project.finished(job)
    assert len(list((study / "vectors").glob("*-of-00004.parquet"))) == PARTS
    assert_parts_are_the_whole(study / "vectors", whole)

    for part in (0, 2):
        (study / "vectors" / f"part-{part:05}-of-00004.parquet").unlink()
    assert parts_to_run(study) == "0,2"
    for tasks, said in (("1,7", "array with gaps"), ("7", "the only one of its SLURM array")):
        again = embed(tasks)
        assert slurm.wait(again) == "FAILED"
        assert all(said in project.log(f"{again}_{task}") for task in tasks.split(","))
    assert parts_to_run(study) == "0,2"


def assert_parts_are_the_whole(table: Path, whole: Path) -> None:
    parts, expected = open_embeddings(table), open_embeddings(whole)
    assert parts.image_id.tolist() == expected.image_id.tolist()
    np.testing.assert_array_equal(parts.read(), expected.read())


def running(slurm: Slurm, job: str) -> list[str]:
    """The running tasks of an array."""
    return [task["ArrayTaskId"] for task in slurm.shown(job) if task["JobState"] == "RUNNING"]


def parts_to_run(study: Path) -> str:
    """The tasks that the error of score names for an incomplete set; none for a complete set."""
    if len(list((study / "vectors").glob("*.parquet"))) == PARTS:
        return ""
    message = refused("score", "vectors", "--trials", "birds/trials.parquet", "--out", "outcomes.parquet", cwd=study)
    found = re.search(r"--array=([\d,-]+)\)", message)
    assert found, message
    return found[1]

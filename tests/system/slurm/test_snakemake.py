"""The study with Snakemake, on this machine and on SLURM: the same figures, and no stage in vain."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.embeddings import open_embeddings
from tests.system.slurm import toy
from tests.system.slurm.conftest import ROOT, Project, assert_same_weights, copy_project
from tests.system.slurm.private import Slurm

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

#: One thread for each job, as by hand.
LOCAL = ("--cores", "2", "--max-threads", "1")
#: The private SLURM has no accounting. The plugin waits 40 s before it asks for the first time.
CLUSTER = (
    *("--profile", "workflow/profiles/slurm", "--max-threads", "1", "--latency-wait", "5"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"),
)


@pytest.fixture(scope="session")
def snakemake() -> str:
    """The program."""
    found = shutil.which("snakemake", path=f"{ROOT / '.venv-snakemake' / 'bin'}:{os.environ.get('PATH', os.defpath)}")
    if found is None:
        pytest.skip("snakemake is absent: make snakemake")
    return found


@contextmanager
def started(words: Sequence[str], home: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command while the body runs."""
    with subprocess.Popen(
        words, cwd=home, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def output(snakemake: str, home: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run Snakemake, which must succeed, and return its output."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
    with started([snakemake, *arguments], home, environment or outside) as process:
        printed = process.communicate(timeout=600)[0]
    assert process.returncode == 0, printed[-6000:]
    return printed


def rules(printed: str) -> set[str]:
    """The rules that Snakemake runs, or would run in a dry run."""
    return set(re.findall(r"^(?:local)?rule (\w+):$", printed, re.MULTILINE)) - {"all"}


def due(snakemake: str, home: Path) -> set[str]:
    """The rules that must run."""
    return rules(output(snakemake, home, *LOCAL, "--dry-run"))


def configure(home: Path, *lines: str) -> None:
    """Change the settings of the study."""
    with (home / "jobscripts" / "study.env").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def finished(snakemake: str, toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose study is complete."""
    home = copy_project(tmp_path_factory.mktemp("snakemake"))
    shutil.copytree(toys, home / "my study" / "birds")
    configure(home, *toy.settings())
    assert due(snakemake, home) == {
        *("train_glow", "trained_glow", "train_resnet", "trained_resnet", "fit_pca"),
        *("embed_pixels", "embed_pca_5", "embed_resnet", "embed_glow", "score", "report"),
    }
    output(snakemake, home, *LOCAL)
    return home


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of this project. Its files have other times, and inputs are newer than outputs."""
    home = tmp_path / "the project"
    shutil.copytree(finished, home, copy_function=shutil.copy)
    made = sorted((path for path in (home / "my study").rglob("*") if path.is_file()), key=_time, reverse=True)
    for age, path in enumerate(made):
        os.utime(path, (1.7e9 + age, 1.7e9 + age))
    return home


def _time(path: Path) -> float:
    return path.stat().st_mtime


def test_the_study_gives_the_figures_and_tables_of_the_same_chain_by_hand(finished: Path, by_hand: Path) -> None:
    study = finished / "my study"
    assert toy.rows(study) == toy.rows(by_hand)
    for line in toy.EMBED:
        table = line.split()[-1]
        found, expected = open_embeddings(study / table), open_embeddings(by_hand / table)
        assert found.image_id.tolist() == expected.image_id.tolist()
        np.testing.assert_array_equal(found.read(), expected.read())
    assert not list(study.glob("logs/*.code")), "no rule leaves files behind"


def test_a_copied_study_is_complete(snakemake: str, copy: Path) -> None:
    assert due(snakemake, copy) == set()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['DISTANCES="--distance cosine"'], {"score", "report"}),
        (["EMBED[1]='pca --components 4 --out vectors/pca-5'"], {"embed_pca_5", "score", "report"}),
        (['RESNET="$RESNET --seed 1"'], {"train_resnet", "trained_resnet", "embed_resnet", "score", "report"}),
    ],
)
def test_a_changed_option_repeats_what_depends_on_it(
    snakemake: str, copy: Path, lines: list[str], expected: set[str]
) -> None:
    configure(copy, *lines)
    assert due(snakemake, copy) == expected


def test_a_trained_model_is_not_replaced_by_one_with_other_options(snakemake: str, copy: Path) -> None:
    configure(copy, 'GLOW="$GLOW --seed 1"')
    before = (copy / "my study" / "glow" / "model.json").read_bytes()
    with started([snakemake, *LOCAL, "glow/model.json"], copy, os.environ) as process:
        printed = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "cannot resume: settings differ from the checkpoint: settings.seed was 0, is 1" in printed
    assert "Trying to restart" not in printed
    assert (copy / "my study" / "glow" / "model.json").read_bytes() == before


@pytest.fixture
def cluster(slurm: Slurm, tmp_path: Path) -> dict[str, str]:
    """The environment of Snakemake on the private SLURM.

    The plugin removes SLURM_CONF from the environment of srun. A cluster has its configuration in the usual place.
    """
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={slurm.environment["SLURM_CONF"]} exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    return {**slurm.environment, "PATH": f"{tmp_path / 'bin'}:{slurm.environment['PATH']}"}


def test_slurm_runs_what_is_missing(
    snakemake: str, slurm: Slurm, cluster: dict[str, str], copy: Path, by_hand: Path
) -> None:
    study = copy / "my study"
    for name in ("vectors/pixels/part-00001-of-00002.parquet", "outcomes.parquet", "report.json"):
        (study / name).unlink()
    printed = output(snakemake, copy, *CLUSTER, environment=cluster)
    assert rules(printed) == {"embed_pixels", "score", "report"}
    assert "part-00000" not in "".join(re.findall(r"rule embed_pixels:\n(?:    .*\n)*?    output: (.*)", printed))
    assert toy.rows(study) == toy.rows(by_hand)
    jobs = [slurm.show(job) for job in re.findall(r"SLURM jobid (\d+)", printed)]
    assert [job["TimeLimit"] for job in jobs] == ["02:00:00", "01:00:00", "01:00:00"]
    assert {(job["JobState"], job["CPUs/Task"], job["Requeue"]) for job in jobs} == {("COMPLETED", "1", "1")}


def test_a_training_that_slurm_stops_runs_again_and_resumes(
    snakemake: str, cluster: dict[str, str], toy_study: Project, by_hand: Path
) -> None:
    log = toy_study.study / "logs" / "train-glow.log"
    with started([snakemake, *CLUSTER, "glow/model.json"], toy_study.home, cluster) as process:
        toy_study.slurm.until(lambda: log.exists() and "epoch 3 of" in log.read_text(), 300, "the third epoch")
        toy_study.slurm.run("scancel", "--signal=USR1", toy_study.slurm.run("squeue", "-h", "-o", "%A"))
        printed = process.communicate(timeout=300)[0]
    assert process.returncode == 0, printed[-6000:]
    assert printed.count("Trying to restart job") == 1
    assert len(re.findall(r"SLURM jobid (\d+)", printed)) == 2
    assert "epoch 3 of" not in log.read_text(), "the second job resumes"
    assert_same_weights(toy_study.study / "glow", by_hand / "glow")

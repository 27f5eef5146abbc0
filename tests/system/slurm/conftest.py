"""A private SLURM, and projects with job scripts that run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from simtool.demo import Size, draw
from simtool.models.folder import MANIFEST
from tests.system.slurm import toy
from tests.system.slurm.private import LARGE, PROGRAMS, SMALL, Slurm, private_slurm, programs

ROOT = Path(__file__).parents[3]
#: The folder of the tested simtool.
ENVIRONMENT = Path(sys.prefix)
#: The number of threads of a job with --cpus-per-task=1; results may depend on it.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Two equal nodes, n1 and n2, and a smaller one without GPUs, n3, which only the partition ``mixed`` has."""
    if missing := set(PROGRAMS) - set(programs()):
        pytest.skip(f"{min(missing)} is absent: apt-get install munge slurmctld slurmd slurm-client")
    with private_slurm(tmp_path_factory.mktemp("slurm"), (LARGE, LARGE, SMALL)) as running:
        yield running


@dataclass(frozen=True)
class Project:
    """A copy of the job scripts with a separate site and study, and the SLURM to which it submits.

    Attributes:
        home: the folder of the copy.
        slurm: where jobs run.
    """

    home: Path
    slurm: Slurm

    @property
    def study(self) -> Path:
        """The folder of the study."""
        return self.home / "my study"

    def script(self, name: str) -> Path:
        """A job script."""
        return self.home / "jobscripts" / f"{name}.sh"

    def configure(self, *lines: str) -> None:
        """Change the settings of the study in study.env."""
        with (self.home / "jobscripts" / "study.env").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def submit(self, name: str, *options: str | Path, arguments: tuple[str | Path, ...] = ()) -> str:
        """Submit a stage and return the job id."""
        return self.slurm.submit(*options, self.script(name), *arguments, cwd=self.home)

    def submit_study(self, *options: str) -> str:
        """Submit the remaining stages of the study, and return the output."""
        return self.slurm.run(self.script("study"), *options, cwd=self.home)

    def log(self, job: str) -> str:
        """The log of a job."""
        return "".join(path.read_text() for path in self._logs(f"*-{job}.out"))

    def _logs(self, pattern: str) -> list[Path]:
        return sorted([*self.home.glob(f"logs/{pattern}"), *self.study.glob(f"logs/{pattern}")])

    def finished(self, job: str) -> None:
        """Wait for a job, which must succeed."""
        state = self.slurm.wait(job)
        ends = [f"{path.name}\n" + "\n".join(path.read_text().splitlines()[-8:]) for path in self._logs("*.out")]
        assert state == "COMPLETED", f"job {job} is {state}\n" + "\n\n".join(ends)


@pytest.fixture
def project(slurm: Slurm, tmp_path: Path) -> Iterator[Project]:
    """A project in folders with spaces. Jobs that still run after the test are canceled."""
    yield Project(copy_project(tmp_path), slurm)
    slurm.cancel_all()


def copy_project(folder: Path) -> Path:
    """Copy the job scripts and the workflow, with settings of a site, to a folder with a space in its name."""
    home = folder / "the project"
    for name in ("jobscripts", "workflow"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("site.env", "__pycache__"))
    site = f"VENV={ENVIRONMENT}\nSTUDY='my study'\nexport SBATCH_MEM_PER_CPU=100\n"
    (home / "jobscripts" / "site.env").write_text(site)
    (home / "logs").mkdir()
    return home


def simtool(*arguments: str | Path, cwd: Path | None = None, more: Mapping[str, str] | None = None) -> None:
    """Run simtool outside of SLURM, with ``more`` in its environment."""
    done = _run(arguments, cwd, more or {})
    assert done.returncode == 0, f"{arguments}\n{done.stderr}"


def refused(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run simtool, which must fail, and return its error line."""
    done = _run(arguments, cwd, {})
    assert done.returncode == 1, f"{arguments}\n{done.stderr}"
    return done.stderr.splitlines()[-1]


def _run(
    arguments: Sequence[str | Path], cwd: Path | None, more: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")} | {**more}
    words = [ENVIRONMENT / "bin" / "simtool", *arguments]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 images of toy birds with judgments of 8 simulated observers: images.parquet, trials.parquet."""
    folder = tmp_path_factory.mktemp("toys")
    draw(folder, Size(seed=5, images_per_species=2, observers=8))
    simtool("index-images", folder / "images", "--out", folder / "images.parquet")
    judgments, trials = folder / "judgments.csv", folder / "trials.parquet"
    simtool("import-trials", judgments, "--out", trials, "--images", folder / "images.parquet")
    return folder


@pytest.fixture
def birds(project: Project, toys: Path) -> Project:
    """A project with toy birds in its study: study/birds/images.parquet."""
    shutil.copytree(toys, project.study / "birds")
    return project


@pytest.fixture
def toy_study(project: Project, toys: Path) -> Project:
    """A project with a study of toy birds that are already in place."""
    shutil.copytree(toys, project.study / "birds")
    project.configure(*toy.settings())
    return project


@pytest.fixture(scope="session")
def by_hand(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stages of the study of toy birds, without SLURM and without parts of tables."""
    folder = tmp_path_factory.mktemp("by hand")
    shutil.copytree(toys, folder / "birds")
    for command in toy.commands():
        simtool(*command, cwd=folder, more=ONE_THREAD)
    return folder


def assert_same_weights(model: Path, expected: Path) -> None:
    """Compare two trained models bit by bit."""
    found = [dict(np.load(next(folder.glob("*.npz")))) for folder in (model, expected) if (folder / MANIFEST).is_file()]
    assert len(found) == 2
    assert found[0].keys() == found[1].keys()
    for name, array in found[1].items():
        np.testing.assert_array_equal(found[0][name], array, err_msg=name)

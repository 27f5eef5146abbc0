"""Job scripts that run simtool in an image, with a stand-in for Apptainer that treats signals and codes as it does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.slurm.conftest import ROOT, Project
from tests.system.slurm.test_bare import STAGES
from tests.system.slurm.test_requeue import COUNTING, SIGNAL, begins, saves, wait_for

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("slurm")]

# Apptainer 1.4 stays as the parent of the command, forwards signals and ends with the code of the command. The
# environment passes, except PATH. A folder that is not there cannot be mounted. Here, an image is a folder.
_APPTAINER = r"""#!/usr/bin/env bash
set -eu
[ "$1" = exec ] || exit 2
shift
mounts=()
while [ "${1#--}" != "$1" ]; do
  case $1 in
    --mount)
      mounts+=("${2##*destination=}")
      [ -e "${2##*destination=}" ] || { echo "FATAL: mount source ${2##*destination=} doesn't exist" >&2; exit 255; }
      shift ;;
    --nv) ;;
    *) exit 2 ;;
  esac
  shift
done
export APPTAINER_CONTAINER=$1 MOUNTS="${mounts[*]/%/;}" PATH=$1/bin:/usr/bin:/bin
shift
code=0
"$@" &
child=$!
for name in USR1 TERM; do trap "kill -$name $child 2>/dev/null || true" $name; done
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
exit "$code"
"""
#: The stand-in for simtool in the image prints where and how it was called.
_SIMTOOL = r"""#!/bin/sh
echo "simtool $*"
echo "image $APPTAINER_CONTAINER folder $PWD"
echo "mounts $MOUNTS"
echo "task ${SLURM_ARRAY_TASK_ID:-none} of ${SLURM_ARRAY_TASK_COUNT:-none}, threads $OMP_NUM_THREADS"
"""


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def contain(home: Path) -> Path:
    """Let the scripts of a project use an image, and return the image."""
    write_program(home / "programs/apptainer", _APPTAINER)
    write_program(home / "an image/bin/simtool", _SIMTOOL)
    site = ("STUDY='my study'", "CONTAINER='an image'", f"PATH='{home / 'programs'}':$PATH", "VENV=/nowhere")
    (home / "jobscripts/site.env").write_text("\n".join((*site, "export SBATCH_MEM_PER_CPU=100\n")))
    return home / "an image"


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A project on a machine without SLURM, whose scripts use an image."""
    home = tmp_path / "the project"
    shutil.copytree(ROOT / "jobscripts", home / "jobscripts", ignore=shutil.ignore_patterns("site.env"))
    contain(home)
    return home


def ran(home: Path, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "TMPDIR"))}
    words = ["bash", f"jobscripts/{script}.sh", *arguments]
    return subprocess.run(words, cwd=home, env=clean | variables, capture_output=True, text=True, check=False)


def test_words_and_folders_reach_the_inside(alone: Path) -> None:
    scratch = alone / "scratch of the job"
    scratch.mkdir()
    done = ran(alone, "fit-pca", "a b.parquet", "--out", "$x", OMP_NUM_THREADS="9", TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == [
        "simtool fit-pca a b.parquet --out $x",
        f"image {alone / 'an image'} folder {alone}",
        f"mounts {alone / 'my study'}; {alone}; {scratch};",
    ]


@pytest.mark.parametrize("script", ["train-glow", "fetch-cub"])
def test_the_code_of_the_command_comes_back(alone: Path, script: str) -> None:
    write_program(alone / "an image/bin/simtool", "#!/bin/sh\nexit 85\n")
    assert ran(alone, script, "images.parquet").returncode == 85


def test_another_program_can_run_the_image(alone: Path) -> None:
    write_program(alone / "run", '#!/bin/sh\nprintf "%s\\n" "$@"\n')
    with (alone / "jobscripts/site.env").open("a") as site:
        site.write("PATH=$PWD:$PATH\nCONTAINER=localhost/simtool:1\nCONTAINER_COMMAND='run --network=host'\n")
    words = ran(alone, "report", "outcomes.parquet").stdout.splitlines()
    assert words[:2] == ["--network=host", "--mount"]
    assert words[2] == f"type=bind,source={alone / 'my study'},destination={alone / 'my study'}"
    assert words[-4:] == ["localhost/simtool:1", "simtool", "report", "outcomes.parquet"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("CONTAINER=no.sif", "no image {home}/no.sif: build it (docs/containers.md), or change CONTAINER in "),
        ("CONTAINER_COMMAND='nothing exec'", "no nothing here to run the image an image: name its module in MODULES, "),
    ],
)
def test_what_is_missing_is_told_in_a_line_before_any_job(alone: Path, line: str, complaint: str) -> None:
    with (alone / "jobscripts/site.env").open("a") as site:
        site.write(f"{line}\n")
    for script in ("study", "embed"):
        done = ran(alone, script)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith(complaint.format(home=alone))
        assert done.stderr.count("\n") == 1


def test_a_folder_with_a_comma_is_refused(alone: Path) -> None:
    with (alone / "jobscripts/site.env").open("a") as site:
        site.write("STUDY='birds, 2018'\n")
    done = ran(alone, "report", "outcomes.parquet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"a container cannot use {alone / 'birds, 2018'}: --mount takes the comma for the end of the path\n"
    )


@pytest.mark.slow
def test_every_stage_runs_in_the_image(project: Project) -> None:
    image = contain(project.home)
    jobs = {stage: project.submit(stage, "--cpus-per-task=3") for stage in STAGES}
    for stage, job in jobs.items():
        project.finished(job)
        log = project.log(f"{job}_3" if stage == "embed" else job)
        assert STAGES[stage] in log
        assert f"image {image} folder {project.home if stage.startswith('fetch') else project.study}" in log
        task = "3 of 4" if stage == "embed" else "none of none"
        assert f"task {task}, threads 3" in log


@pytest.mark.slow
def test_a_training_in_an_image_saves_and_is_requeued(project: Project) -> None:
    image = contain(project.home)
    (project.home / "counting.py").write_text(COUNTING)
    write_program(image / "bin/simtool", '#!/bin/sh\nexec python3 counting.py "$2"\n')
    job = project.submit("train-resnet", "--nodes=2", arguments=("40",))
    for rank in (0, 1):
        wait_for(project, job, f"rank {rank} begins")
    project.slurm.run(*SIGNAL, job)
    project.finished(job)
    log = project.log(job)
    for rank in (0, 1):
        assert begins(log, rank) == [0, *saves(log, rank)]
        assert log.count(f"rank {rank} is done") == 1
    assert project.slurm.show(job)["Restarts"] == "1"

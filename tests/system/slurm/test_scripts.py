"""Properties of the job scripts that can be checked without running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

JOBSCRIPTS = Path(__file__).parents[3] / "jobscripts"
SHELL = sorted(path for path in JOBSCRIPTS.rglob("*") if path.suffix in {".sh", ".env"})
STAGES = [path for path in SHELL if path.suffix == ".sh" and path.stem not in {"common", "study"}]


def name(path: Path) -> str:
    return str(path.relative_to(JOBSCRIPTS))


def test_there_is_a_script_for_each_stage() -> None:
    assert {path.stem for path in STAGES} == {
        "fetch-cub",
        "fetch-judgments",
        "train-glow",
        "train-resnet",
        "fit-pca",
        "embed",
        "score",
        "report",
    }


@pytest.mark.parametrize("path", SHELL, ids=name)
def test_bash_can_read_it(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("path", [path for path in SHELL if path.name != "site.env"], ids=name)
def test_shellcheck_has_nothing_to_say(path: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is absent: apt-get install shellcheck")
    found = subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", path], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("path", STAGES, ids=name)
def test_a_stage_is_short_named_after_its_file_and_names_no_site(path: Path) -> None:
    text = path.read_text()
    directives = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, re.MULTILINE))
    assert directives["job-name"] == path.stem
    assert directives["output"].startswith("logs/%x-")
    assert {"time", "cpus-per-task", "mem-per-cpu"} <= directives.keys()
    # SLURM also requeues a job if a node fails. By default it truncates the log of a requeued job.
    assert directives["open-mode"] == "append"
    # Without this option, srun starts a task on every core of an exclusive node.
    assert (directives.get("ntasks") or directives.get("ntasks-per-node")) == "1"
    assert not {"account", "partition", "constraint", "qos", "mail-user"} & directives.keys()
    assert "set -euo pipefail" in text.splitlines()
    assert len(text.splitlines()) <= 35
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize("stage", ["train-glow", "train-resnet"])
def test_a_training_asks_for_a_signal_and_may_be_requeued(stage: str) -> None:
    text = (JOBSCRIPTS / f"{stage}.sh").read_text()
    assert "#SBATCH --requeue" in text.splitlines()
    assert re.search(r"^#SBATCH --signal=USR1@\d+$", text, re.MULTILINE)


@pytest.mark.parametrize("place", ["study/cub", "study/data/cub", "shared/cub", "study/../shared/cub"])
def test_images_are_copied_from_any_folder(place: str, tmp_path: Path) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "images.parquet").write_text("table")
    (folder / "photographs").mkdir()
    (folder / "photographs" / "wren.jpg").write_text("wren")
    (tmp_path / "study" / "models").mkdir(parents=True)
    shutil.copytree(JOBSCRIPTS, tmp_path / "jobscripts")
    inside = folder.relative_to(tmp_path / "study") if place in ("study/cub", "study/data/cub") else folder
    task = 'source "$0/common.sh"; stage_in; pwd; cat "$IMAGES" "$(dirname "$IMAGES")/photographs/wren.jpg"; ls'
    settings = {"STUDY": "study", "IMAGES": str(inside / "images.parquet"), "VENV": sys.prefix}
    (tmp_path / "jobscripts" / "site.env").write_text(
        "".join(f"{name}='{value}'\n" for name, value in settings.items())
    )
    # A task that srun has started makes its copy itself.
    job = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "LOCAL": str(tmp_path / "local")}
    found = subprocess.run(
        ["bash", "-c", task, tmp_path / "jobscripts"],
        env={**os.environ, **job},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(f"{tmp_path}/local/simtool-7\ntablewren")
    assert "models" not in found.stdout

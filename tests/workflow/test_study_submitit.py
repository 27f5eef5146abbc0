"""The program that runs the study with submitit: the stages that it finds to do, and the settings that it refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.system]

ROOT = Path(__file__).parents[2]
TINY = """
VENV={venv} STUDY=toy SHARDS=2 DEVICE=cpu
EMBED=("pixels --out vectors/pixels" "pca --components 5 --out vectors/pca" "glow --layer latent --out vectors/glow")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project whose study has three kinds of vectors, and whose images and judgments are in place."""
    for name in ("jobscripts", "workflow"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("site.env", "__pycache__"))
    with (tmp_path / "jobscripts" / "study.env").open("a") as file:
        file.write(TINY.format(venv=sys.prefix))
    for place in ("cub", "birds16"):
        (tmp_path / "toy" / place).mkdir(parents=True)
        (tmp_path / "toy" / place / "images.parquet").touch()
    (tmp_path / "toy" / "birds16" / "trials.parquet").touch()
    return tmp_path


def run(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
    words = [sys.executable, "-m", "workflow.study_submitit", "--cluster", "local", *options]
    return subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, timeout=600, check=False)


def planned(home: Path) -> dict[str, str]:
    """The note about each stage in a dry run."""
    done = run(home, "--dry-run")
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^(\S+) +- +(.*)$", done.stdout, re.MULTILINE))


def test_only_stages_without_their_files_and_those_after_them_run(home: Path) -> None:
    study = home / "toy"
    assert planned(home) == {
        "fetch-cub": "finished",
        "fetch-judgments": "finished",
        "train-glow": "1 of 1 parts",
        "fit-pca": "1 of 1 parts",
        "embed-pixels": "2 of 2 parts",
        "embed-pca": "2 of 2 parts after fit-pca",
        "embed-glow": "2 of 2 parts after train-glow",
        "score": "1 of 1 parts after embed-pixels embed-pca embed-glow",
        "report": "1 of 1 parts after score",
    }
    tables = [f"vectors/{name}/part-0000{part}-of-00002.parquet" for name in ("pixels", "pca", "glow") for part in "01"]
    outputs = ("outcomes.parquet", "outcomes-by-segment.parquet", "report.html", "report.csv", "report.json")
    for file in ("glow/model.json", "pca/model.json", *tables, *outputs):
        (study / file).parent.mkdir(parents=True, exist_ok=True)
        (study / file).touch()
    assert set(planned(home).values()) == {"finished"}
    (study / tables[1]).unlink()
    (study / "pca" / "model.json").unlink()
    assert {stage: note for stage, note in planned(home).items() if note != "finished"} == {
        "fit-pca": "1 of 1 parts",
        "embed-pixels": "1 of 2 parts",
        "embed-pca": "2 of 2 parts after fit-pca",
        "score": "1 of 1 parts after embed-pixels embed-pca",
        "report": "1 of 1 parts after score",
    }


def test_a_study_without_segments_needs_no_outcomes_by_segment(home: Path) -> None:
    with (home / "jobscripts" / "study.env").open("a") as file:
        file.write('EMBED=("pixels --out vectors/pixels") SEGMENTED=""\n')
    for part in ("0", "1"):
        table = home / "toy" / "vectors" / "pixels" / f"part-0000{part}-of-00002.parquet"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.touch()
    for name in ("outcomes.parquet", "report.html", "report.csv", "report.json"):
        (home / "toy" / name).touch()
    assert set(planned(home).values()) == {"finished"}


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("PCA='--component 5'", "error: No such option: --component .* see simtool fit-pca --help"),
        ("CONTAINER=image.sif CONTAINER_COMMAND=true", "error: submitit starts the Python that runs this program"),
        ("VENV=/nowhere PATH=/usr/bin:/bin", "error: no simtool in /nowhere"),
    ],
)
def test_wrong_settings_are_refused_in_one_line_before_the_first_job(home: Path, setting: str, line: str) -> None:
    with (home / "jobscripts" / "study.env").open("a") as file:
        file.write(f"{setting}\n")
    done = run(home)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(line, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "toy" / "logs").exists()


def test_a_job_that_fails_on_this_machine_is_named_with_its_log(home: Path) -> None:
    with (home / "jobscripts" / "study.env").open("a") as file:
        file.write("IMAGES=cub/images.parquet EMBED=('pixels --out vectors/pixels')\n")
    done = run(home)
    found = re.fullmatch(r"error: embed-pixels failed; its log is (.*/toy/logs/\d+_0_log.err)\n", done.stderr)
    assert found, done.stderr
    assert "images.parquet: this is an empty file" in Path(found[1]).read_text()

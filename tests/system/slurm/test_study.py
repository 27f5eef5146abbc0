"""The whole study through SLURM, and the same stages without SLURM."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.system.slurm.conftest import ONE_THREAD, Project, simtool

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

IMAGES = "birds/images.parquet"
#: Each stage that writes a model, with its options.
MODELS = {
    "glow": ("train-glow", "--preset", "tiny", "--validation", "0.5", "--epochs", "30", "--steps", "1"),
    "resnet": ("train-resnet", "--preset", "tiny", "--validation", "0.5", "--epochs", "1"),
    "pca": ("fit-pca", "--components", "20", "--size", "32"),
}
EMBED = (
    "pixels --size 32 --out vectors/pixels",
    "pca --components 5 --out vectors/pca-5",
    "resnet --layer penultimate --device cpu --out vectors/resnet",
    "glow --layer latent --device cpu --out vectors/glow",
)
SEGMENTED = ("vectors/pixels", "vectors/glow")


@pytest.fixture
def toy_study(project: Project, toys: Path) -> Project:
    """A project with a study of toy birds that are already in place."""
    shutil.copytree(toys, project.study / "birds")
    options = {name: " ".join(arguments[1:]) for name, arguments in MODELS.items()}
    project.configure(
        *(f"IMAGES={IMAGES}", f"STIMULI={IMAGES}", "TRIALS=birds/trials.parquet", "SHARDS=2"),
        "DEVICE=cpu",  # jobs with --exclusive get the GPUs of the private SLURM, which are no real ones
        f"LOCAL='{project.home / 'local'}'",
        *(f'{name.upper()}="{option}"' for name, option in options.items()),
        f"EMBED=({' '.join(json.dumps(line) for line in EMBED)})",
        f'DISTANCES="--distance mse" SEGMENTED="{" ".join(SEGMENTED)}" SEGMENT_DISTANCES="--distance cosine/segments"',
    )
    return project


def submitted(printed: str) -> dict[str, str]:
    """The output of study.sh for each stage: a job id, or a dash if the stage is complete."""
    return dict(re.findall(r"^(\S+) +(\S+)", printed, re.MULTILINE))


def rows(study: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((study / "report.json").read_text())
    return content


def by_hand(folder: Path, toys: Path) -> None:
    """The stages without SLURM and without parts."""
    shutil.copytree(toys, folder / "birds")

    def run(*arguments: str) -> None:
        simtool(*arguments, cwd=folder, more=ONE_THREAD)

    for name, (command, *options) in MODELS.items():
        run(command, IMAGES, "--out", name, *options)
    for line in EMBED:
        run("embed", IMAGES, "--model", *line.split())
    judged = ("--trials", "birds/trials.parquet", "--images", IMAGES)
    run("score", *(line.split()[-1] for line in EMBED), *judged, "--distance", "mse", "--out", "outcomes.parquet")
    run("score", *SEGMENTED, *judged, "--distance", "cosine/segments", "--out", "by-segment.parquet")
    run("report", "outcomes.parquet", "by-segment.parquet", "--json", "report.json")


def test_the_study_gives_the_figures_of_the_same_chain_by_hand(toy_study: Project, toys: Path, tmp_path: Path) -> None:
    options = ("--exclusive", "--cpus-per-task=1")
    jobs = submitted(toy_study.submit_study(*options))
    assert (jobs["fetch-cub"], jobs["fetch-judgments"]) == ("-", "-")
    assert submitted(toy_study.submit_study(*options)) == jobs, "what is queued is not submitted again"
    by_hand(tmp_path / "by hand", toys)
    toy_study.finished(jobs["report"])
    assert rows(toy_study.study) == rows(tmp_path / "by hand")
    copies = list((toy_study.home / "local").glob("simtool-*/birds/images.parquet"))
    assert len(copies) == 2, "both trainings read copies on the node's own disk"
    finished = submitted(toy_study.submit_study(*options))
    assert {finished[stage] for stage in jobs} == {"-"}

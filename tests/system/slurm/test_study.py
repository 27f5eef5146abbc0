"""The whole study through SLURM, and the same chain by hand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.system.slurm.conftest import Project, simtool

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

EMBED = ("pixels --size 32 --out vectors/pixels", "pca --components 5 --out vectors/pca-5")


@pytest.fixture
def toy_study(project: Project, toys: Path) -> Project:
    """A project whose study is of toy birds that lie there already."""
    shutil.copytree(toys, project.study / "birds")
    project.configure(
        *("IMAGES=birds/images.parquet", "STIMULI=birds/images.parquet", "TRIALS=birds/trials.parquet"),
        *('PCA="--components 20 --size 32"', "SHARDS=3"),
        f"EMBED=({' '.join(json.dumps(line) for line in EMBED)})",
        *('DISTANCES="--distance mse"', "SEGMENTED=vectors/pixels", 'SEGMENT_DISTANCES="--distance cosine/segments"'),
    )
    return project


def submitted(printed: str) -> dict[str, str]:
    """What study.sh says of each stage: a job's id, or a dash where it is finished."""
    return dict(re.findall(r"^(\S+) +(\S+)", printed, re.MULTILINE))


def rows(study: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((study / "report.json").read_text())
    return content


def by_hand(folder: Path, toys: Path) -> None:
    """The chain without SLURM, without parts, as one types it."""
    shutil.copytree(toys, folder / "birds")
    simtool("fit-pca", "birds/images.parquet", "--out", "pca", "--components", "20", "--size", "32", cwd=folder)
    for line in EMBED:
        simtool("embed", "birds/images.parquet", "--model", *line.split(), cwd=folder)
    tables = [line.split()[-1] for line in EMBED]
    judged = ("--trials", "birds/trials.parquet", "--images", "birds/images.parquet")
    simtool("score", *tables, *judged, "--distance", "mse", "--out", "a.parquet", cwd=folder)
    simtool("score", tables[0], *judged, "--distance", "cosine/segments", "--out", "b.parquet", cwd=folder)
    simtool("report", "a.parquet", "b.parquet", "--json", "report.json", cwd=folder)


def test_the_study_gives_the_figures_of_the_same_chain_by_hand(toy_study: Project, toys: Path, tmp_path: Path) -> None:
    jobs = submitted(toy_study.submit_study())
    assert (jobs["fetch-cub"], jobs["fetch-judgments"]) == ("-", "-")
    again = submitted(toy_study.submit_study())
    assert {**again, "fetch-cub": "-"} == jobs, "what is queued is not submitted again"
    by_hand(tmp_path / "by hand", toys)
    toy_study.finished(jobs["report"])
    assert rows(toy_study.study) == rows(tmp_path / "by hand")
    assert submitted(toy_study.submit_study()).keys() - {"The"} == jobs.keys()
    assert set(submitted(toy_study.submit_study()).values()) <= {"-", "report"}

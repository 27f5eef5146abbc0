"""Scripts that are submitted without options after only site.env was edited."""

from __future__ import annotations

import pytest

from tests.system.slurm.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

#: A word from study.env in the arguments that each stage gives to simtool.
STAGES = {
    "fetch-cub": "study/cub",
    "fetch-judgments": "study/birds16",
    "train-glow": "study/glow --preset study",
    "train-resnet": "study/resnet --preset study",
    "fit-pca": "--out pca --components 1000",
    "embed": "birds16/images.parquet --model glow --layer latent --out vectors/glow-latent",
    "score": "vectors/pca-1000 vectors/resnet-penultimate",
    "report": "--json report.json",
}


def test_every_script_runs_with_a_bare_sbatch_after_editing_only_site_env(project: Project) -> None:
    program = project.home / "environment" / "bin" / "simtool"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "simtool $*"\n')
    program.chmod(0o755)
    (project.home / "jobscripts" / "site.env").write_text(f"VENV='{program.parents[1]}'\n")
    jobs = {stage: project.submit(stage) for stage in STAGES}
    for stage, job in jobs.items():
        project.finished(job)
        log = project.log(f"{job}_3" if stage == "embed" else job)
        assert f"simtool {stage} " in log
        assert STAGES[stage] in log

"""The settings of the study, as Snakemake reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workflow.study import SettingsError, Study, Vectors, megabytes, minutes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def jobscripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the job scripts without settings of a site, in a folder with a space in its name."""
    for name in ("STUDY", "FETCH", "SBATCH_GRES", "SBATCH_MEM_PER_CPU"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VENV", str(ROOT / ".venv"))
    folder = tmp_path / "a project" / "jobscripts"
    shutil.copytree(ROOT / "jobscripts", folder, ignore=shutil.ignore_patterns("site.env"))
    return folder


def at_site(jobscripts: Path, *lines: str) -> Study:
    """The study with these lines in site.env."""
    (jobscripts / "site.env").write_text("".join(f"{line}\n" for line in lines))
    return Study.read(jobscripts)


def test_the_settings_are_those_of_study_env(jobscripts: Path) -> None:
    study = Study.read(jobscripts)
    assert study["STUDY"] == str(jobscripts.parent / "study")
    assert (study["GLOW"], study.shards) == ("--preset study", 4)
    assert len(study.vectors) == 9
    assert Vectors("pca --components 10 --out vectors/pca-10") in study.vectors
    assert study.uses("glow")
    assert (study["FETCH"], study["MOST_RESTARTS"]) == ("here", "100")


def test_a_missing_simtool_is_one_line(jobscripts: Path) -> None:
    with pytest.raises(SettingsError, match=r"^no simtool in /nowhere: make setup, or set VENV "):
        at_site(jobscripts, "VENV=/nowhere", "PATH=/usr/bin:/bin")


def test_a_line_of_embed_names_its_tables_and_the_model_that_it_needs() -> None:
    vectors = Vectors("glow --layer latent --out vectors/one --layer posterior --out two")
    assert vectors.tables == ("vectors/one", "two")
    assert (vectors.name, vectors.needs) == ("embed-one", ("glow/model.json",))
    assert vectors.parts(2)[:2] == [f"vectors/one/part-0000{part}-of-00002.parquet" for part in range(2)]
    assert vectors.parts(2, "{part}")[1] == "two/part-{part}-of-00002.parquet"
    assert Vectors("pixels --out vectors/pixels").needs == ()


def test_a_job_asks_for_what_its_script_asks_for(jobscripts: Path) -> None:
    study = Study.read(jobscripts)
    assert study.threads("train-glow") == 8
    assert study.resources("train-glow") == {
        "runtime": 24 * 60,
        "mem_mb_per_cpu": 8 * 1024,
        "gres": "gpu:1",
        "gpu_jobs": 1,
        "slurm_extra": "--requeue --signal=USR1@300",
    }
    assert study.resources("score") == {"runtime": 60, "mem_mb_per_cpu": 4096}


def test_a_site_replaces_it(jobscripts: Path) -> None:
    study = at_site(
        jobscripts,
        "export SBATCH_ACCOUNT=project SBATCH_PARTITION=long SBATCH_GRES=none",
        "declare -A OPTIONS",
        'OPTIONS[train-glow]="--nodes=2 --gres=gpu:a100:4 --mem-per-cpu=3800 --exclusive"',
    )
    assert "gres" not in study.resources("embed")
    glow = study.resources("train-glow")
    assert (glow["slurm_account"], glow["slurm_partition"], glow["gres"]) == ("project", "long", "gpu:a100:4")
    assert (glow["nodes"], glow["tasks"], glow["mpi"], glow["mem_mb_per_cpu"]) == (2, 2, "srun", 3800)
    assert glow["slurm_extra"] == "--requeue --signal=USR1@300 --exclusive"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-p long", r"OPTIONS\[score\]: -p: with an engine, write options of sbatch as --name=value"),
        ("--ntasks=4", "score: --ntasks=4: with an engine, a job has one task on each node"),
        ("--mem-per-cpu=much", "much is not an amount of memory, such as 3800 or 4G"),
    ],
)
def test_an_option_without_an_equivalent_is_refused(jobscripts: Path, options: str, message: str) -> None:
    study = at_site(jobscripts, "declare -A OPTIONS", f'OPTIONS[score]="{options}"')
    with pytest.raises(SettingsError, match=f"^{message}$"):
        study.resources("score")


@pytest.mark.parametrize(
    ("time", "expected"),
    [("30", 30), ("30:01", 31), ("02:00:00", 120), ("2-12", 60 * 60), ("1-00:00:00", 1440), ("0-1:30", 90)],
)
def test_time_limits_are_those_of_slurm(time: str, expected: int) -> None:
    assert minutes(time) == expected


@pytest.mark.parametrize(("memory", "expected"), [("3800", 3800), ("4G", 4096), ("1T", 1024**2), ("2048K", 2)])
def test_amounts_of_memory_are_those_of_slurm(memory: str, expected: int) -> None:
    assert megabytes(memory) == expected


def test_a_study_without_segments_has_one_table_of_outcomes(jobscripts: Path) -> None:
    assert Study.read(jobscripts).outcomes == ("outcomes.parquet", "outcomes-by-segment.parquet")
    with (jobscripts / "study.env").open("a") as file:
        file.write('SEGMENTED=""\n')
    assert Study.read(jobscripts).outcomes == ("outcomes.parquet",)

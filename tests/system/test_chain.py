"""All stages as a user runs them: the demo, its tables, its report, and its commands again."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simtool.demo import KNOWN
from simtool.designs import Choose, Rank
from simtool.tables.description import describe_table
from simtool.tables.images import image_paths, read_images
from simtool.tables.trials import read_trials

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("chain")]

#: 32 images: the smallest demo in which PCA 10 and the largest PCA differ.
SMALL = ("--images-per-species", "2", "--observers", "8", "--seed", "5")

TABLES = {
    "images.parquet": "images",
    "trials.parquet": "trials",
    "true-attributes.parquet": "embeddings",
    "pixels.parquet": "embeddings",
    "colour.parquet": "embeddings",
    "pca-10.parquet": "embeddings",
    "pca-31.parquet": "embeddings",
    "resnet-final.parquet": "embeddings",
    "resnet-penultimate.parquet": "embeddings",
    "glow-latent.parquet": "embeddings",
    "glow-posterior.parquet": "embeddings",
    "glow-pooled.parquet": "embeddings",
    "outcomes.parquet": "outcomes",
    "outcomes-by-pixel.parquet": "outcomes",
}


@dataclass(frozen=True)
class Run:
    """A complete demo."""

    home: Path
    folder: Path
    out: str
    err: str

    @property
    def commands(self) -> list[str]:
        """The printed command lines, without the prompt."""
        return [line[2:] for line in self.err.splitlines() if line.startswith("$ ")]

    def report(self) -> list[dict[str, Any]]:
        """The rows of the report's JSON."""
        rows: list[dict[str, Any]] = json.loads((self.folder / "report.json").read_text())
        return rows


def environment() -> dict[str, str]:
    """An environment that finds the tested simtool first, and has no terminal."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("chain")
    done = subprocess.run(
        [sys.executable, "-m", "simtool", "demo", "toy birds", *SMALL],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return Run(home, home / "toy birds", done.stdout, done.stderr)


def test_the_demo_writes_valid_tables(run: Run) -> None:
    assert {name: describe_table(run.folder / name).kind for name in TABLES} == TABLES


def test_each_table_remembers_the_command_that_was_printed_for_it(run: Run) -> None:
    printed = [shlex.split(line) for line in run.commands]
    for name in set(TABLES) - {"true-attributes.parquet"}:
        origin = describe_table(run.folder / name).provenance
        assert origin is not None
        assert [words[-len(origin.command) :] == list(origin.command) for words in printed].count(True) == 1, name


def test_folders_become_classes_and_groups(run: Run) -> None:
    images = read_images(run.folder / "images.parquet")
    assert len(images) == 32
    assert len(set(images.class_name)) == 16
    assert len(set(images.group_name)) == 4
    assert all(path.is_file() for path in image_paths(run.folder / "images.parquet", images))


def test_judgments_arrive_as_trials_of_simulated_observers(run: Run) -> None:
    trials = read_trials(run.folder / "trials.parquet")
    assert len(trials) == 8 * 78
    assert set(trials.types) == {Rank(8, 2), Choose(2, 1)}
    assert set(trials.participant) == {f"simulated-{number:03}" for number in range(1, 9)}
    assert len(set(trials.session)) == 16


def _accuracies(run: Run) -> list[dict[str, Any]]:
    """The triplet accuracies of the report, without those of strata."""
    return [row for row in run.report() if row["metric"] == "triplet_accuracy" and row["stratum"] is None]


def test_the_known_attributes_lead_the_report(run: Run) -> None:
    rows = [row for row in _accuracies(run) if row["trial_type"] == "all"]
    best = max(rows, key=lambda row: float(row["estimate"]))
    assert best["model"] == KNOWN
    assert best["distance"] == "mse"
    assert best["low"] > 0.65
    assert len(rows) >= 21
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in rows)


def test_the_report_counts_every_trial_and_comparison(run: Run) -> None:
    rows = [row for row in _accuracies(run) if row["model"] == KNOWN]
    counts = {row["trial_type"]: (row["trials"], row["comparisons"]) for row in rows}
    assert counts == {"8-rank-2": (336, 336 * 13), "2-choose-1": (288, 288), "all": (624, 336 * 13 + 288)}


def test_the_terminal_shows_the_report_and_says_that_observers_are_simulated(run: Run) -> None:
    assert KNOWN.split()[0] in run.out
    assert "simulated" in run.out.lower()


def test_figure_page_and_csv_are_there_and_say_that_observers_are_simulated(run: Run) -> None:
    assert (run.folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "simulated" in (run.folder / "report.html").read_text(encoding="utf-8").lower()
    with (run.folder / "report.csv").open(newline="") as file:
        assert {row["model"] or None for row in csv.DictReader(file)} == {row["model"] for row in run.report()}


def test_nothing_but_plain_lines_reaches_standard_error(run: Run) -> None:
    assert "\x1b" not in run.err
    assert "Traceback" not in run.err
    assert not re.search(r"tensorflow|cuda|oneDNN", run.err, re.IGNORECASE)


def test_the_script_gives_the_same_figures_from_anywhere(run: Run, tmp_path: Path) -> None:
    before = run.report()
    for name in ("report.json", *(set(TABLES) - {"true-attributes.parquet"})):
        (run.folder / name).unlink()
    subprocess.run([run.folder / "demo.sh"], cwd=tmp_path, env=environment(), check=True, capture_output=True)
    assert run.report() == before


def test_the_printed_commands_run_as_they_are(run: Run) -> None:
    # The last commands: they read the output of the earlier commands, and need no TensorFlow.
    before = run.report()
    last = [
        line for line in run.commands if any(word in shlex.split(line) for word in ("import-trials", "score", "report"))
    ]
    assert len(last) == 4
    (run.folder / "report.json").unlink()
    script = "\n".join(["set -e", *last])
    subprocess.run(["sh", "-c", script], cwd=run.home, env=environment(), check=True, capture_output=True)
    assert run.report() == before

"""Attempts of a training, which Snakemake repeats if they fail: they fail only if the training can be resumed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKPOINT = "mkdir -p glow/training/checkpoints; touch glow/training/checkpoints/step-%s.npz; "


@dataclass(frozen=True)
class Training:
    """A study whose training is a command of bash."""

    home: Path

    @property
    def code(self) -> str | None:
        """The exit code that an attempt has left for the rule of the model."""
        file = self.home / "study" / "logs" / "code"
        return file.read_text().strip() if file.exists() else None

    def attempt(self, number: int, command: str) -> int:
        """Run an attempt, and return its exit code."""
        (self.home / "jobscripts" / "train-glow.sh").write_text(command)
        return self._run("attempt.sh", "glow", str(number), "logs/code").returncode

    def outcome(self) -> subprocess.CompletedProcess[str]:
        """Run the rule of the model."""
        return self._run("outcome.sh", "glow", "logs/code")

    def _run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        more = {"JOBSCRIPTS": str(self.home / "jobscripts"), "VENV": sys.prefix}
        return subprocess.run(
            ["bash", ROOT / "workflow" / script, *arguments],
            env={**{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}, **more},
            cwd=self.home / "study",
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def training(tmp_path: Path) -> Training:
    (tmp_path / "jobscripts").mkdir()
    for name in ("common.sh", "study.env"):
        shutil.copy(ROOT / "jobscripts" / name, tmp_path / "jobscripts")
    (tmp_path / "study" / "logs").mkdir(parents=True)
    return Training(tmp_path)


def test_a_saved_training_is_repeated(training: Training) -> None:
    assert training.attempt(1, "exit 85") == 85
    assert training.attempt(2, "exit 85") == 85
    assert training.code is None
    assert training.attempt(3, "exit 0") == 0
    assert training.code == "0"
    assert training.outcome().returncode == 0


@pytest.mark.parametrize("code", [1, 2, 75])
def test_another_end_is_not_repeated_but_reported(training: Training, code: int) -> None:
    assert training.attempt(1, f"exit {code}") == 0
    assert training.code == str(code)
    (training.home / "study" / "logs" / "train-glow.log").write_text("error: no such option\n")
    done = training.outcome()
    assert (done.returncode, done.stderr) == (code, "error: no such option\n")
    assert training.code is None, "the next run of Snakemake trains again"


def test_a_killed_training_is_repeated_if_it_has_saved_a_checkpoint(training: Training) -> None:
    assert training.attempt(1, CHECKPOINT % 1 + "kill -KILL $$") == 137
    assert training.attempt(2, CHECKPOINT % 2 + "kill -KILL $$") == 137
    assert training.code is None
    assert training.attempt(3, "kill -KILL $$") == 0
    assert training.code == "137"


def test_the_same_holds_if_the_whole_job_is_killed(training: Training) -> None:
    assert training.attempt(1, CHECKPOINT % 1 + "kill -KILL $PPID") < 0
    assert training.attempt(2, "kill -KILL $PPID") < 0
    assert training.attempt(3, "exit 0") == 0
    assert training.code == "137", "the third attempt does not train"


def test_a_new_run_of_snakemake_trains_in_any_case(training: Training) -> None:
    assert training.attempt(1, "kill -KILL $PPID") < 0
    assert training.attempt(1, "exit 0") == 0
    assert training.code == "0"

"""A training survives killed processes, and its result does not depend on the number of devices."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.system.standins import COMPILER, library
from tests.training.program import KILLS, SIGNALS
from tests.training.tiny import CLOCK

pytestmark = [pytest.mark.system, pytest.mark.slow]


def program(kind: str, folder: Path, *before: str) -> tuple[dict[str, list[int]], list[str]]:
    """The exit codes of its trainings, and their errors; the words ``before`` start the program."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "tests.training.program", kind, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *errors, ends = done.stdout.splitlines()
    return json.loads(ends), errors


def arrays(folder: Path) -> list[NDArray[np.float32]]:
    with np.load(folder / "weights.npz") as file:
        return [file[name] for name in file.files]


def log(folder: Path) -> list[dict[str, str]]:
    """The rows of the log without the times."""
    with (folder / "training" / "log.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in CLOCK} for row in csv.DictReader(file)]


def history(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "history.json").read_text())
    return rows


def test_however_often_and_however_it_is_killed_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    ends, errors = program("killed", tmp_path)
    assert errors == []
    assert ends == {
        "whole": [0],
        "SIGKILL": [-9] * KILLS + [0],
        "SIGTERM": [85] * KILLS + [0],
        "SIGUSR1": [85] * KILLS + [0],
    }
    expected = [array.tobytes() for array in arrays(tmp_path / "whole")]
    for name in SIGNALS:
        assert [array.tobytes() for array in arrays(tmp_path / name)] == expected, name
        assert log(tmp_path / name) == log(tmp_path / "whole"), name
        assert not list((tmp_path / name).rglob(".*.tmp")), name


def assert_equal_within_rounding(one: Path, other: Path) -> None:
    for mine, theirs in zip(arrays(one), arrays(other), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    for row, expected in zip(history(one), history(other), strict=True):
        for name in ("loss", "gradient_norm", "val_loss", "val_accuracy", "skipped"):
            assert row[name] == pytest.approx(expected[name], rel=1e-4), name


def test_several_devices_train_like_one(tmp_path: Path) -> None:
    ends, errors = program("devices", tmp_path)
    assert (ends, errors) == ({"1": [0], "2": [0], "3": [0], "divided": [0], "normalized": [0]}, [])
    assert_equal_within_rounding(tmp_path / "2", tmp_path / "1")
    assert_equal_within_rounding(tmp_path / "3", tmp_path / "1")
    assert_equal_within_rounding(tmp_path / "divided", tmp_path / "1")


def test_several_workers_train_like_one_and_stop_together(tmp_path: Path) -> None:
    # With a compiler, one worker has another clock and sees files late, as on another machine.
    libraries = [str(library(name, tmp_path)) for name in ("clock", "late")] if COMPILER else []
    ends, errors = program("workers", tmp_path, "env", f"LD_PRELOAD={':'.join(libraries)}")
    assert ends == {"one": [0], "asked": [85, 85], "killed": [69, -9], "left": [0, 0], "unequal": [1, 1]}
    assert errors == [
        "another worker was lost; run all workers again to resume from the last checkpoint",
        *["the workers have different numbers of GPUs (0, 2); every node needs as many, for example with --gres=gpu:1"]
        * 2,
    ]
    assert len(history(tmp_path / "one")) == 9
    assert_equal_within_rounding(tmp_path / "two", tmp_path / "one")


#: A disk of 256 kB in a new namespace, for which no rights of root are needed.
SMALL_DISK = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=256k none "$0" && exec "$@"')


def test_a_training_on_a_full_disk_keeps_its_checkpoints_and_resumes_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("unshare") is None or subprocess.run([*SMALL_DISK, str(disk), "true"], check=False).returncode:
        pytest.skip("the system does not let this user mount a disk in a namespace")
    ends, errors = program("full", tmp_path, *SMALL_DISK, str(disk))
    assert ends == {"whole": [0], "full": [1, 1, 0]}
    assert len(errors) == 2
    assert all(str(disk) in error and "the disk is full" in error and "free some space" in error for error in errors)
    assert [array.tobytes() for array in arrays(tmp_path / "full")] == [
        array.tobytes() for array in arrays(tmp_path / "whole")
    ]
    assert log(tmp_path / "full") == log(tmp_path / "whole")

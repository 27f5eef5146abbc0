"""A training survives every kill: the same command resumes it and gives the files of an uninterrupted training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.standins import COMPILER

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.mark.skipif(COMPILER is None, reason="the stand-in that kills at an exact operation needs a C compiler")
def test_a_training_that_is_hit_at_any_moment_ends_like_one_that_was_not(tmp_path: Path) -> None:
    program, rows = [sys.executable, "-m", "tests.system.kill_matrix", str(tmp_path)], tmp_path / "rows.json"
    done = subprocess.run(
        [*program, "--only", "train-resnet", "--every", "8", "--json", str(rows)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads(rows.read_text())
    assert {one["blow"]["phase"] for one in outcomes} == {"evaluation", "checkpoint", "two workers", "final save"}
    assert all(one["equal"] and one["lost"] <= 2 for one in outcomes)

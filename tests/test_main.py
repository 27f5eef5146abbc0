"""Tests of :mod:`simtool.__main__`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_COMMAND = """
import gc, sys
from simtool.__main__ import main
sys.argv = ["simtool", "import-trials", "judgments.csv", "--out", "trials.parquet"]
try:
    main()
finally:
    print(gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
_NOTEBOOK = """
import gc
from simtool import stages
stages.import_trials("judgments.csv")
print(gc.isenabled(), gc.get_freeze_count() > 0)
"""


def said_by(program: str, folder: Path) -> str:
    (folder / "judgments.csv").write_text("query,reference_1,reference_2,selected_1\na,b,c,b\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def test_a_command_collects_garbage_while_it_works_and_leaves_the_rest_to_the_system(tmp_path: Path) -> None:
    assert said_by(_COMMAND, tmp_path) == "True True\n"


def test_stages_in_python_leave_the_collector_alone(tmp_path: Path) -> None:
    assert said_by(_NOTEBOOK, tmp_path) == "True False\n"

"""Tests of :mod:`simtool.system.arrow`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

_SAYS = "import sys, runpy; sys.argv = ['simtool', *sys.argv[1:]]\n"
_RUNS = (
    _SAYS + "try:\n    runpy.run_module('simtool', run_name='__main__')\n"
    "finally:\n    print('pandas' in sys.modules)\n    import pandas"
)


def test_a_command_does_not_import_pandas_and_leaves_it_importable(tmp_path: Path) -> None:
    (tmp_path / "judgments.csv").write_text("query,reference_1,reference_2,selected_1\na,b,c,b\n")
    words = ["import-trials", "judgments.csv", "--out", "trials.parquet"]
    done = subprocess.run(
        [sys.executable, "-c", _RUNS, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert (tmp_path / "trials.parquet").exists()


def test_stages_in_python_leave_pandas_to_pyarrow(tmp_path: Path) -> None:
    (tmp_path / "judgments.csv").write_text("query,reference_1,reference_2,selected_1\na,b,c,b\n")
    program = (
        "from simtool import stages; stages.import_trials('judgments.csv', 'trials.parquet')\n"
        "import pyarrow.parquet as pq; print(pq.read_table('trials.parquet').to_pandas()['query'][0])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "a\n"


@pytest.mark.skipif("jemalloc" not in pa.supported_memory_backends(), reason="this pyarrow has no jemalloc")
def test_memory_of_a_command_is_allocated_by_jemalloc() -> None:
    program = "import simtool.stages as stages, pyarrow as pa; stages.in_own_process = True; stages.score; "
    done = subprocess.run(
        [sys.executable, "-c", program + "print(pa.default_memory_pool().backend_name)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "jemalloc\n"

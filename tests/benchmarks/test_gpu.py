"""The table of the speed of a GPU, at tiny sizes on the processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def gpu() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield import_module("gpu")


def row_of(gpu: Any, seconds: list[float], rival: bool = False, task: str = "resnet step", batch: int = 8) -> Any:
    case = gpu.resnet_subjects.Case(batch=batch)
    row = gpu.Row(task, "Keras fit" if rival else "simtool training", "float32", case, rival, seconds=seconds)
    gpu.summarize(row)
    return row


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(BENCHMARKS.parent)}
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=hidden)


@pytest.mark.slow
def test_a_row_is_measured_printed_and_written(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    done = run("--cpu", "--rows", "glow small: simtool, float32", "--seconds", "1000", "--json", str(file))
    assert done.returncode == 0, done.stderr
    device, versions, *_ = done.stdout.splitlines()
    assert device.startswith("device CPU ")
    assert "TensorFlow " in versions
    assert "cuDNN" in versions
    content = json.loads(file.read_text())
    (row,) = content["rows"]
    assert content["facts"]["device"]["gpus"] == 0
    assert row["steps"] == len(row["seconds"]) >= 5
    assert row["images_per_second"] == pytest.approx(row["case"]["batch"] / row["step_seconds"])
    assert row["first_seconds"] > row["step_seconds"]
    assert row["gpu_peak_bytes"] is row["times_rival"] is None
    assert row["note"] == ""
    assert f"{row['images_per_second']:,.1f}" in done.stdout


def test_without_a_gpu_it_says_so_in_one_line() -> None:
    done = run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: --device gpu: TensorFlow finds no GPU: ")
    assert done.stderr.endswith("; --cpu tries tiny networks on the processor\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_row_that_fails_says_why(gpu: Any) -> None:
    row = gpu.rows_of(0, tiny=True)[0]
    row.case.settings["nonsense"] = 1
    gpu.measure(row, 1000, on_gpu=False)
    assert "no setting is called nonsense" in row.note
    assert row.step_seconds is None


def test_a_row_is_cut_at_the_end_of_its_share(gpu: Any) -> None:
    row = gpu.rows_of(0, tiny=True)[0]
    gpu.measure(row, 0.2, on_gpu=False)
    assert row.note == "cut at 0 s, after 0 steps"


@pytest.mark.parametrize(
    ("failure", "note"),
    [
        ("ended with exit code 1: tensorflow.python.ResourceExhaustedError: OOM when allocating", "not enough memory"),
        ("ended with exit code -9", "not enough memory"),
        ("ended with exit code 1: ValueError: no", "ended with exit code 1: ValueError: no"),
        ("", "cut at 9 s, after 2 steps"),
    ],
)
def test_the_note_says_what_is_missing(gpu: Any, failure: str, note: str) -> None:
    row = row_of(gpu, [1.0, 2.0])
    row.steps = 2
    assert gpu.note_of(row, failure, late=False, seconds=9.0) == note


def test_speeds_are_compared_with_the_first_rival_of_the_task(gpu: Any) -> None:
    rows = [row_of(gpu, [1.0, 2.0, 4.0]), row_of(gpu, [8.0]), row_of(gpu, [4.0], rival=True), row_of(gpu, [])]
    other = row_of(gpu, [1.0], task="resnet embed")
    gpu.compare([*rows, other])
    assert [row.times_rival for row in rows] == [2.0, 0.5, 1.0, None]
    assert rows[0].spread == pytest.approx(1.5)
    assert other.times_rival is None
    screen = Console(width=200, file=StringIO())
    screen.print(gpu.table_of([*rows, other]))
    assert "2,000.0 ms" in screen.file.getvalue()  # type: ignore[attr-defined]


def test_several_gpus_have_a_whole_batch_each(gpu: Any) -> None:
    one, four = gpu.rows_of(1, tiny=False), gpu.rows_of(4, tiny=False)
    added = [row for row in four if row.gpus > 1]
    assert [row.name for row in four if row.gpus == 1] == [row.name for row in one]
    for row in added:
        alone = next(each for each in one if (each.task, each.subject) == (row.task, row.subject))
        assert (row.gpus, row.case.batch) == (4, 4 * alone.case.batch)
    assert {row.subject for row in four} <= {*gpu.glow_subjects.SUBJECTS, *gpu.resnet_subjects.SUBJECTS}


def test_rows_see_some_of_the_gpus_of_the_job(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c")
    assert [gpu.environment_of(count)["CUDA_VISIBLE_DEVICES"] for count in (0, 1, 2)] == ["-1", "GPU-a", "GPU-a,GPU-b"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpu.environment_of(2)["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_the_shares_are_the_time_that_is_left(gpu: Any) -> None:
    rows, left = gpu.rows_of(2, tiny=False), 100.0
    for number in range(len(rows)):
        left -= gpu.shares(rows[number:], left)
    assert left == pytest.approx(0)

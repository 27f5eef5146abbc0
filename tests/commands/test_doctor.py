"""Doctor tells what a machine or job can compute with, and fails where a GPU was given that cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from simtool.device import processor
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow

Simtool = Callable[..., Any]


@pytest.fixture(autouse=True)
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job of SLURM, and no GPU."""
    if load_tensorflow().config.list_physical_devices("GPU"):
        pytest.skip("needs a machine without a GPU")
    for name in os.environ:
        if name.startswith(("SLURM_", "CUDA_", "APPTAINER_")):
            monkeypatch.delenv(name)


def examined(simtool: Simtool) -> tuple[int, dict[str, Any]]:
    ran = simtool("doctor", "--json")
    found: dict[str, Any] = json.loads(ran.out)
    return ran.code, found


def test_a_laptop_computes_on_its_processor(simtool: Simtool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/cuda")
    code, found = examined(simtool)
    assert (code, found["usable"], found["failure"]) == (0, True, None)
    assert found["device"]["name"] == processor().words("float32")
    assert found["versions"]["tensorflow"] == version("tensorflow")
    assert found["cores"]["usable"] == available_cores()
    assert found["driver"]["failure"]
    assert found["slurm"] == {}
    assert found["variables"]["LD_LIBRARY_PATH"] == "/opt/cuda"
    assert {"libraries", "memory", "scratch", "container"} <= found.keys()


def test_a_job_with_a_gpu_that_cannot_be_used_fails(simtool: Simtool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "2"}.items():
        monkeypatch.setenv(name, value)
    code, found = examined(simtool)
    assert (code, found["usable"]) == (1, False)
    assert "SLURM gave this job a GPU (SLURM_GPUS_ON_NODE=2)" in found["failure"]
    assert "libcuda.so.1" in found["failure"]
    assert found["slurm"] == {"SLURM_GPUS_ON_NODE": "2", "SLURM_JOB_ID": "7"}


def test_a_container_without_its_gpus_is_told_how_to_get_them(
    simtool: Simtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTAINER_CONTAINER", "/images/simtool.sif")
    ran = simtool("doctor")
    assert ran.code == 0
    assert ran.out.startswith("networks can be computed here\n")
    lines = [line.strip() for line in ran.out.splitlines()]
    place = next(number for number, line in enumerate(lines) if line.split()[:2] == ["container", "Apptainer,"])
    assert lines[place].endswith("Apptainer, image /images/simtool.sif")
    assert lines[place + 1] == "without GPUs; --nv gives it those of the machine"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")
    _, found = examined(simtool)
    assert "start the container with --nv; --device cpu computes on the processor" in found["failure"]


def test_a_job_without_gpus_computes_on_the_processor(simtool: Simtool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    ran = simtool("doctor")
    assert ran.code == 0
    assert "job 7; no GPU was given" in ran.out


def test_a_gpu_can_be_asked_for(simtool: Simtool) -> None:
    ran = simtool("doctor", "--device", "gpu")
    assert ran.code == 1
    assert ran.out.startswith("networks are refused here\n")
    assert "--device gpu: TensorFlow finds no GPU: libcuda.so.1" in ran.out

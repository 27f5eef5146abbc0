"""The first line of a training, and of embed with a network, tells the device; so do the files that they write."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simtool.device import processor
from simtool.tables.embeddings import open_embeddings
from simtool.tensorflow import load_tensorflow
from tests.models.onnx_networks import write_network
from tests.photographs import write_table

Simtool = Callable[..., Any]
OLD = Path(__file__).parents[1] / "fixtures" / "version_0_1"
#: A flow that is trained in a moment.
SMALL = (
    *("--preset", "tiny", "--size", "8", "--levels", "2", "--steps", "1", "--width", "4", "--epochs", "1"),
    *("--batch-size", "4", "--initial-images", "6", "--validation", "none"),
)


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    if load_tensorflow().config.list_physical_devices("GPU"):
        pytest.skip("needs a machine without a GPU")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of a job of SLURM to which a GPU is given."""
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_STEP_GPUS": "0", "CUDA_VISIBLE_DEVICES": "0"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of six images, which tests leave as they are."""
    return write_table(tmp_path_factory.mktemp("home"), 6)


def test_a_training_says_it_first_and_writes_it_down(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    device = processor().words("float32")
    ran = simtool("train-glow", images, "--out", tmp_path / "glow", *SMALL)
    assert ran.err.splitlines()[:2] == [f"device {device}", f"read   {images}: 6 images"]
    assert json.loads((tmp_path / "glow" / "model.json").read_text())["device"] == device
    settings = json.loads((tmp_path / "glow" / "training" / "settings.json").read_text())
    assert settings["devices"] == [{"step": 0, "device": processor().words("float32", memory=False)}]
    shown = [line.split(maxsplit=1) for line in simtool("show", tmp_path / "glow").out.splitlines()]
    assert ["device", device] in shown


def test_embed_says_it_first_for_a_network_and_writes_it_down(simtool: Simtool, tmp_path: Path) -> None:
    device = processor().words("float32")
    out = tmp_path / "latent.parquet"
    ran = simtool("embed", write_table(tmp_path, 2), "--model", OLD / "glow", "--out", out)
    assert ran.err.splitlines()[0] == f"device {device}"
    provenance = open_embeddings(out).provenance
    assert provenance is not None
    assert provenance.device == device
    assert json.loads(simtool("show", out, "--json").out)["device"] == device


def test_openvino_computes_on_the_processor(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    network, out = tmp_path / "network.onnx", tmp_path / "out.parquet"
    write_network(network)
    embed = ("embed", images, "--model", network, "--recipe", "torch", "--size", "6", "--out", out)
    ran = simtool(*embed)
    assert ran.err.splitlines()[0] == f"device {processor('openvino').words('float32')}"
    refused = simtool(*embed, "--device", "gpu")
    assert (refused.code, refused.err) == (
        2,
        "error: --device gpu is for the runtime tensorflow; openvino computes on the processor\n",
    )


def test_pixels_need_no_device(job: None, simtool: Simtool, images: Path, tmp_path: Path) -> None:
    embed = ("embed", images, "--model", "pixels", "--out", tmp_path / "pixels.parquet")
    ran = simtool(*embed)
    assert ran.code == 0
    assert not any(line.startswith("device") for line in ran.err.splitlines())
    for option in (("--device", "cpu"), ("--deterministic",)):
        refused = simtool(*embed, *option)
        assert refused.code == 2
        assert "--device and --deterministic are for networks; pixels computes on the processor" in refused.err


def test_principal_components_need_no_device(job: None, simtool: Simtool, tmp_path: Path) -> None:
    ran = simtool("embed", write_table(tmp_path, 2), "--model", OLD / "pca", "--out", tmp_path / "pca.parquet")
    assert ran.code == 0
    assert not any(line.startswith("device") for line in ran.err.splitlines())


def test_a_job_with_a_gpu_is_refused_in_one_line_and_runs_if_it_asks_for_the_processor(
    job: None, simtool: Simtool, images: Path, tmp_path: Path
) -> None:
    for command in (
        ("train-glow", images, "--out", tmp_path / "glow", *SMALL),
        ("embed", images, "--model", OLD / "glow", "--out", tmp_path / "latent.parquet"),
    ):
        refused = simtool(*command)
        assert refused.code == 1
        [line] = refused.err.splitlines()
        assert line.startswith("error: SLURM gave this job a GPU (SLURM_STEP_GPUS=0), but TensorFlow finds none: ")
        assert "libcuda.so.1" in line
        assert not command[command.index("--out") + 1].exists()  # type: ignore[union-attr]
    ran = simtool("embed", images, "--model", OLD / "glow", "--out", tmp_path / "latent.parquet", "--device", "cpu")
    assert ran.code == 0


def test_an_unknown_device_is_refused(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    refused = simtool("train-glow", images, "--out", tmp_path / "glow", *SMALL, "--device", "cuda")
    assert (refused.code, refused.err) == (2, "error: --device is one of auto, cpu, gpu, not cuda\n")


REFUSED = """
import sys
from simtool.cli import main
try:
    main()
except SystemExit as end:
    print(end.code, "tensorflow" in sys.modules)
"""


@pytest.mark.system
def test_the_refusal_does_not_wait_for_the_import_of_tensorflow(job: None, images: Path, tmp_path: Path) -> None:
    command = ("train-glow", images, "--out", tmp_path / "glow", *SMALL)
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, *map(str, command)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 False\n"

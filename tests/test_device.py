"""The device is chosen, refused in one line, and described in one line. This machine has no GPU, or hides it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simtool.device import Device, DeviceError, check_precision, no_gpu, open_device, processor
from simtool.system.cuda import Driver, Gpu, Library
from simtool.tensorflow import load_tensorflow
from simtool.text import scaled

A100 = Gpu("NVIDIA A100-SXM4-80GB", 85_094_825_984)
MISSING = Library("libcudnn.so.9", failure="libcudnn.so.9: cannot open shared object file")


@pytest.fixture(autouse=True)
def _no_gpu() -> None:
    if load_tensorflow().config.list_physical_devices("GPU"):
        pytest.skip("needs a machine without a GPU")


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a job with one GPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")


def test_without_a_gpu_the_processor_computes() -> None:
    for choice in ("auto", "cpu"):
        assert open_device(choice) == processor()


def test_a_job_with_a_gpu_refuses_the_processor_and_names_the_library(job: None) -> None:
    with pytest.raises(DeviceError) as refused:
        open_device()
    message = str(refused.value)
    assert message.startswith("SLURM gave this job a GPU (SLURM_JOB_GPUS=0), but TensorFlow finds none: ")
    assert "libcuda.so.1" in message
    assert message.endswith("; --device cpu computes on the processor")
    assert "\n" not in message


def test_a_job_computes_on_the_processor_if_it_asks_for_it(job: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_device("cpu") == processor()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert open_device("auto") == processor()


def test_a_gpu_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(DeviceError, match=r"^--device gpu: TensorFlow finds no GPU: .*libcuda"):
        open_device("gpu")


@pytest.mark.parametrize(
    ("driver", "libraries", "reason"),
    [
        (Driver("12.4", (A100,)), None, "this TensorFlow is built without CUDA"),
        (Driver(failure="libcuda.so.1: cannot open"), [], r"libcuda.so.1, NVIDIA's driver, cannot be used \(.*open\)$"),
        (Driver(failure="no"), [MISSING], r"and 1 library of CUDA \(libcudnn.so.9\); install them with make setup"),
        (Driver("12.4", (A100,)), [MISSING], "^libcudnn.so.9 cannot be loaded .* install them with make setup CUDA=1"),
        (Driver("12.4"), [], "shows no GPU to this process; look at CUDA_VISIBLE_DEVICES"),
        (Driver("12.4", (A100,)), [], "TF_CPP_MIN_LOG_LEVEL=0 shows the log of TensorFlow"),
    ],
)
def test_the_first_cause_is_told(driver: Driver, libraries: list[Library] | None, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        raise DeviceError(no_gpu(driver, libraries))


def test_a_line_tells_device_precision_and_determinism() -> None:
    machine = Device((), "AMD EPYC 7543", 8, 64 * 10**9, deterministic=True)
    assert machine.words("float32") == "CPU AMD EPYC 7543, 8 cores, 64 GB of memory (float32), deterministic"
    assert replace(machine, library="openvino").words("bfloat16", memory=False) == (
        "CPU AMD EPYC 7543, 8 cores (bfloat16, openvino), deterministic"
    )
    graphics = replace(machine, gpus=(A100,), deterministic=False)
    assert graphics.words("float32") == (
        "1 GPU NVIDIA A100-SXM4-80GB, 85.1 GB of memory (float32, TF32 off), not deterministic"
    )
    assert graphics.words("tf32, XLA", memory=False).endswith("A100-SXM4-80GB (tf32, XLA), not deterministic")
    several = replace(graphics, gpus=(A100, A100, Gpu("NVIDIA H100", 80 * 10**9)))
    assert several.words("float16", memory=False) == (
        "3 GPUs NVIDIA A100-SXM4-80GB, NVIDIA H100 (float16, TF32 off), not deterministic"
    )


def test_this_machine_has_a_name_and_memory() -> None:
    found = processor()
    assert found.name
    assert found.cores >= 1
    assert found.memory is None or scaled(found.memory, "B") in found.words("float32")


def test_a_precision_that_the_device_has_not_is_refused() -> None:
    for precision in ("float32", "bfloat16", "float16"):
        check_precision(precision, [])
    check_precision("tf32", [(8, 0), (9, 0)])
    check_precision("float16", [(7, 0)])
    with pytest.raises(DeviceError, match="--precision tf32 is for GPUs; a processor computes in float32"):
        check_precision("tf32", [])
    with pytest.raises(
        DeviceError, match=r"bfloat16 needs .* 8\.0 or higher .*this GPU has 7\.0; use float16 or float32"
    ):
        check_precision("bfloat16", [(8, 0), (7, 0)])

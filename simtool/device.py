"""The device that computes networks: chosen before TensorFlow starts, and described in one line.

TensorFlow computes on the processor without a word if it cannot load a library of CUDA. Here, a job to which SLURM has
given GPUs is refused in this case.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from simtool.errors import SimtoolError, listed
from simtool.system.allotment import allotted_gpus
from simtool.system.container import Container, find_container
from simtool.system.cuda import DRIVER, Driver, Gpu, Library, find_driver, find_libraries, pip_folders, sonames
from simtool.system.memory import total_memory
from simtool.system.processor import processor_name
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow, tensorflow_build
from simtool.text import counted, scaled

__all__ = [
    "CHOICES",
    "INSTALL",
    "Choice",
    "Device",
    "DeviceError",
    "check_precision",
    "gpu_libraries",
    "no_gpu",
    "open_device",
    "processor",
]

#: ``auto`` takes all GPUs, and the processor if there are none.
Choice = Literal["auto", "cpu", "gpu"]
CHOICES: tuple[Choice, ...] = ("auto", "cpu", "gpu")
#: The compute capability of the first GPUs with TF32 and bfloat16.
_AMPERE = (8, 0)
#: How to install the libraries of CUDA.
INSTALL = "make setup CUDA=1, or pip install 'simtool[cuda]'"


class DeviceError(SimtoolError):
    """The device that was asked for, or that the scheduler has given, cannot be used."""


@dataclass(frozen=True)
class Device:
    """The device of a run.

    Attributes:
        gpus: that compute; none for the processor.
        name: of the processor.
        cores: of the processor that this process may use.
        memory: of the processor, in bytes: the limit of the job, else that of the machine; None if unknown.
        deterministic: whether the same run gives the same bits again. A processor does so; GPUs if they are asked to.
        library: that computes on the processor in place of TensorFlow.
    """

    gpus: tuple[Gpu, ...]
    name: str
    cores: int
    memory: int | None
    deterministic: bool
    library: str | None = None

    def words(self, computation: str, memory: bool = True) -> str:
        """The device, the computation and the determinism, in one line.

        Args:
            computation: the precision of networks, and all else that changes the last bits of results.
            memory: whether to state the memory, which changes no result.
        """
        kinds = listed(dict.fromkeys(_named(gpu.name, gpu.memory if memory else None) for gpu in self.gpus))
        what = f"{counted(len(self.gpus), 'GPUs')} {kinds}" if self.gpus else self._processor(memory)
        exact = self.gpus and not computation.startswith("tf32")
        how = [computation, *(["TF32 off"] if exact else []), *([self.library] if self.library else [])]
        return f"{what} ({', '.join(how)}), {'' if self.deterministic else 'not '}deterministic"

    def _processor(self, memory: bool) -> str:
        return _named(f"CPU {self.name}, {counted(self.cores, 'cores')}", self.memory if memory else None)


def _named(name: str, memory: int | None) -> str:
    return f"{name}, {scaled(memory, 'B')} of memory" if memory else name


def processor(library: str | None = None) -> Device:
    """The processor as the device. This needs no TensorFlow."""
    return Device((), processor_name(), available_cores(), total_memory(), deterministic=True, library=library)


def open_device(choice: str = "auto", deterministic: bool = False, most: int | None = None) -> Device:
    """Choose the device of this process. Call this before TensorFlow computes anything.

    Args:
        choice: one of :data:`CHOICES`.
        deterministic: on GPUs, use only operations that give the same bits in every run. They are slower. It holds for
            the rest of the process.
        most: how many GPUs to use at most; None for all.

    Raises:
        DeviceError: ``gpu`` without a GPU; ``auto`` without a GPU although SLURM has given one; or ``cpu`` after this
            process has used a GPU.
    """
    reason = _why_needed(choice, os.environ)
    if reason and find_driver().failure:  # found in a moment, while the import of TensorFlow takes seconds
        raise _refusal(reason)
    tf = load_tensorflow()
    found = tf.config.list_physical_devices("GPU")
    if reason and not found:
        raise _refusal(reason)
    wanted = [] if choice == "cpu" else found[:most]
    try:
        tf.config.set_visible_devices(wanted, "GPU")
        for device in wanted:
            # Without this, the first process on a GPU takes all of its memory.
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError as failure:  # TensorFlow has computed in this process already
        if choice != "auto" and tf.config.get_visible_devices("GPU") != wanted:
            raise DeviceError(
                f"--device {choice}: this process uses another device already; start a new process"
            ) from failure
    if deterministic and tf.config.get_visible_devices("GPU"):
        # On a processor, results are the same in every run anyway, and this would change their last bits.
        tf.config.experimental.enable_op_determinism()
    return _described(tf)


def check_precision(precision: str, capabilities: Sequence[tuple[int, int]] | None = None) -> None:
    """Refuse a precision that the device of this process has not.

    Args:
        precision: of a training.
        capabilities: the compute capability of each GPU, such as (8, 0); none for a processor. None asks TensorFlow.

    Raises:
        DeviceError: it names a precision that the device has.
    """
    if capabilities is None:
        capabilities = _capabilities(load_tensorflow())
    if precision == "tf32" and not capabilities:
        raise DeviceError("--precision tf32 is for GPUs; a processor computes in float32, bfloat16 or float16")
    least = min(capabilities, default=_AMPERE)
    if precision in ("tf32", "bfloat16") and least < _AMPERE:
        raise DeviceError(
            f"--precision {precision} needs GPUs of compute capability 8.0 or higher (A100, H100), this GPU has "
            f"{least[0]}.{least[1]}; use float16 or float32"
        )


def _capabilities(tf: Any) -> list[tuple[int, int]]:
    details = map(tf.config.experimental.get_device_details, tf.config.get_visible_devices("GPU"))
    return [found.get("compute_capability", _AMPERE) for found in details]


def _described(tf: Any) -> Device:
    """The device that TensorFlow uses now."""
    from tensorflow.python.framework.config import is_op_determinism_enabled

    if not (visible := tf.config.get_visible_devices("GPU")):
        return processor()
    # The driver lists the GPUs in the order of TensorFlow, which calls them GPU:0, GPU:1, ...
    known = dict(enumerate(find_driver().gpus))
    gpus = (known.get(int(device.name.rpartition(":")[2]), Gpu("of unknown name", 0)) for device in visible)
    return replace(processor(), gpus=tuple(gpus), deterministic=is_op_determinism_enabled())


def _why_needed(choice: str, environment: Mapping[str, str]) -> str | None:
    """Why this process must not compute on the processor; None if it may."""
    if choice == "gpu":
        return "--device gpu: TensorFlow finds no GPU"
    given = allotted_gpus(environment) if choice == "auto" else None
    return given and f"SLURM gave this job a GPU ({given}), but TensorFlow finds none"


def _refusal(reason: str) -> DeviceError:
    why = no_gpu(find_driver(), gpu_libraries(), find_container(os.environ))
    return DeviceError(f"{reason}: {why}; --device cpu computes on the processor")


def gpu_libraries() -> list[Library] | None:
    """The libraries that this TensorFlow needs for a GPU; None for a TensorFlow without CUDA.

    They are loaded into this process, so call this after TensorFlow has found its own.
    """
    build = tensorflow_build()
    if build.cuda is None or build.cudnn is None:
        return None
    return find_libraries(sonames(build.cuda, build.cudnn), pip_folders(build.site_packages))


def no_gpu(driver: Driver, libraries: list[Library] | None, container: Container | None = None) -> str:
    """Why TensorFlow finds no GPU, in one clause that names the first library that is missing.

    Without a driver, it also names the option that gives GPUs to the container of this process.
    """
    if libraries is None:
        return f"this TensorFlow is built without CUDA; install the package tensorflow, then its libraries: {INSTALL}"
    missing = [library for library in libraries if library.failure]
    names, remedy = listed(library.name for library in missing), f"; install them with {INSTALL}"
    if driver.failure:
        also = f", and {counted(len(missing), 'libraries', 'library')} of CUDA ({names})" if missing else ""
        start = f"; start the container with {container.gpu_option}" if container else ""
        return f"{DRIVER}, NVIDIA's driver, cannot be used ({driver.failure}){also}{remedy if missing else ''}{start}"
    if missing:
        return f"{missing[0].name} cannot be loaded ({missing[0].failure}); missing are {names}{remedy}"
    if not driver.gpus:
        return "NVIDIA's driver works, but shows no GPU to this process; look at CUDA_VISIBLE_DEVICES and --gres"
    return "the driver and all libraries can be loaded; TF_CPP_MIN_LOG_LEVEL=0 shows the log of TensorFlow"

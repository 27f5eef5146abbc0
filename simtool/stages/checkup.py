"""Doctor: whether this machine or job can compute networks, with what, and what each fact means for a run."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from simtool import __version__, console
from simtool.device import CHOICES, INSTALL, DeviceError, gpu_libraries, open_device
from simtool.stages.run import api, chosen
from simtool.system.allotment import allotted_gpus, slurm_variables
from simtool.system.container import Container, find_container
from simtool.system.cuda import Driver, Library, find_driver
from simtool.system.memory import available_memory, memory_limit, total_memory
from simtool.system.quota import core_quota
from simtool.system.space import is_in_memory
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow, tensorflow_build
from simtool.text import counted, scaled

__all__ = ["Checkup", "Finding", "doctor"]

_PACKAGES = ("tensorflow", "keras", "numpy", "pyarrow", "openvino")
#: Variables that change which device, libraries, threads and folders a run uses.
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_CONFIG",
    "TMPDIR",
    "KERAS_HOME",
)


@dataclass(frozen=True)
class Finding:
    """A fact about the machine, the job or the installation.

    Attributes:
        topic: its label, and its key in JSON.
        value: for JSON.
        text: the fact in words.
        meaning: the effect on a run; empty if there is none.
    """

    topic: str
    value: Any
    text: str
    meaning: str = ""


@dataclass(frozen=True)
class Checkup:
    """The result of :func:`doctor`.

    Attributes:
        findings: in the order of the output.
        failure: why trainings and networks are refused here; None if they run.
    """

    findings: tuple[Finding, ...]
    failure: str | None

    @property
    def title(self) -> str:
        """The result in one line."""
        return "networks are refused here" if self.failure else "networks can be computed here"

    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each fact; the meaning is on a line below, without a label."""
        return [line for found in self.findings for line in ((found.topic, found.text), ("", found.meaning)) if line[1]]

    def to_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {"usable": self.failure is None, "failure": self.failure} | {
            found.topic: found.value for found in self.findings
        }


@api
def doctor(device: str = "auto") -> Checkup:
    """Check this machine or job: versions, device, CUDA libraries, cores, memory, scratch space and SLURM.

    Args:
        device: as for :func:`~simtool.stages.train_glow`.

    Returns:
        The facts, with their meaning for a run, and the reason if a run on this device is refused here.

    Raises:
        UsageError: there is no such device.

    Example:
        >>> from simtool import stages
        >>> stages.doctor().failure is None  # doctest: +SKIP
        True
    """
    chosen(CHOICES, "--device", device)
    console.note("loading TensorFlow, which takes a few seconds ...")
    load_tensorflow()
    found = _device(device)
    driver, container = find_driver(), find_container(os.environ)
    findings = [_versions(), *_cuda(driver, gpu_libraries()), found, _cores(), _memory(), _scratch()]
    job = _container(container, driver), _slurm(os.environ), _variables(os.environ)
    return Checkup((*findings, *job), found.value["failure"])


def _versions() -> Finding:
    packages = {name: _version_of(name) for name in _PACKAGES}
    own = {"simtool": __version__, "python": platform.python_version()}
    words = [f"{name} {number}" for name, number in {**own, **packages}.items() if number]
    meaning = "" if packages["openvino"] else "without openvino: no .onnx files, and no --runtime openvino"
    return Finding("versions", {**own, **packages, "executable": sys.executable}, ", ".join(words), meaning)


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cuda(driver: Driver, libraries: list[Library] | None) -> Iterator[Finding]:
    """The driver, then the libraries."""
    gpus = [{"name": gpu.name, "memory": gpu.memory} for gpu in driver.gpus]
    value = {"cuda": driver.cuda, "gpus": gpus, "failure": driver.failure}
    if driver.failure:
        yield Finding("driver", value, driver.failure, "TensorFlow cannot use a GPU without the driver of NVIDIA")
    else:
        names = ", ".join(f"{gpu.name} ({scaled(gpu.memory, 'B')})" for gpu in driver.gpus) or "no GPU"
        yield Finding("driver", value, f"supports CUDA up to {driver.cuda}; {names}", _driver_meaning(driver))
    if libraries is None:
        yield Finding("libraries", None, "this TensorFlow is built without CUDA", "it computes on processors only")
        return
    found = [{"name": each.name, "path": each.path and str(each.path), "failure": each.failure} for each in libraries]
    missing = [each.name for each in libraries if each.failure]
    build = tensorflow_build()
    needs = f"CUDA {build.cuda}, cuDNN {build.cudnn}"
    if missing:
        meaning = f"TensorFlow cannot use a GPU without them; install them with {INSTALL}"
        yield Finding("libraries", found, f"for {needs}; missing: {', '.join(missing)}", meaning)
    else:
        folders = list(dict.fromkeys(str(each.path.parent) for each in libraries if each.path))
        yield Finding("libraries", found, f"for {needs}; all found, in {', '.join(folders)}", _mixed(libraries))


def _driver_meaning(driver: Driver) -> str:
    needed = tensorflow_build().cuda
    if driver.cuda is None or needed is None or int(driver.cuda.split(".")[0]) >= int(needed.split(".")[0]):
        return ""
    return f"too old for this TensorFlow, which needs CUDA {needed.split('.')[0]}"


def _mixed(libraries: list[Library]) -> str:
    """A warning if some libraries are those of pip and others are not."""
    site = tensorflow_build().site_packages
    others = [each.name for each in libraries if each.path and not each.path.is_relative_to(site)]
    if len(others) in (0, len(libraries)):
        return ""
    return f"a mix of packages and the system: {', '.join(others)} come from elsewhere; unset LD_LIBRARY_PATH"


def _device(choice: str) -> Finding:
    """The device of a run."""
    try:
        device = open_device(choice)
    except DeviceError as failure:
        return Finding("device", {"name": None, "failure": str(failure)}, "none", str(failure))
    words = device.words("float32")
    meaning = "" if device.gpus else "trainings of the study take weeks without a GPU; small presets take hours"
    return Finding("device", {"name": words, "gpus": len(device.gpus), "failure": None}, words, meaning)


def _cores() -> Finding:
    usable, machine, quota = available_cores(), os.cpu_count(), core_quota()
    value = {"usable": usable, "machine": machine, "quota": quota}
    text = f"{usable} of {counted(machine or usable, 'cores')} may be used" + (
        f", a quota of {quota:g}" if quota else ""
    )
    if quota is not None and quota < usable:
        return Finding("cores", value, text, f"{usable} threads share {quota:g} cores; ask for more cores")
    return Finding("cores", value, text, f"decoding, training and scoring use {counted(usable, 'threads')}")


def _memory() -> Finding:
    total, limit, free = total_memory(), memory_limit(), available_memory()
    value = {"total": total, "limit": limit, "available": free}
    of = f" of {scaled(total, 'B')}" if total else ""
    text = "unknown" if free is None else f"{scaled(free, 'B')}{of} free"
    limited = "the limit of the job or container" if limit else "the job or container has no limit"
    return Finding("memory", value, f"{text}; {limited}", "a training on the processor that needs more is refused")


def _scratch() -> Finding:
    folder = Path(tempfile.gettempdir())
    free, in_memory = shutil.disk_usage(folder).free, is_in_memory(folder)
    value = {"folder": str(folder), "free": free, "in_memory": in_memory}
    if in_memory:
        meaning = "files there take memory; name a folder on a disk with TMPDIR or --scratch"
    else:
        meaning = "images and matrices that do not fit in memory go there; TMPDIR or --scratch name another folder"
    return Finding("scratch", value, f"{folder}, {scaled(free, 'B')} free{', in memory' if in_memory else ''}", meaning)


def _container(container: Container | None, driver: Driver) -> Finding:
    if container is None:
        return Finding("container", None, "none")
    value = {"program": container.program, "image": container.image}
    meaning = f"without GPUs; {container.gpu_option} gives it those of the machine" if driver.failure else ""
    return Finding("container", value, container.words(), meaning)


def _slurm(environment: Mapping[str, str]) -> Finding:
    variables = slurm_variables(environment)
    given = allotted_gpus(environment)
    if "SLURM_JOB_ID" not in variables and not given:
        return Finding("slurm", variables, "no job", "--device auto computes on the processor if there is no GPU")
    gpus = f"a GPU was given ({given})" if given else "no GPU was given"
    text = f"job {variables.get('SLURM_JOB_ID', 'without a number')}; {gpus}"
    meaning = "--device auto refuses the processor" if given else "--device auto computes on the processor"
    return Finding("slurm", variables, text, meaning)


def _variables(environment: Mapping[str, str]) -> Finding:
    found = {name: environment[name] for name in _VARIABLES if name in environment}
    return Finding("variables", found, ", ".join(f"{name}={value}" for name, value in found.items()) or "none set")

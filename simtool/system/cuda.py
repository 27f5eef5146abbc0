"""NVIDIA's driver and the CUDA libraries: whether this process can load them, and from where."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DRIVER", "Driver", "Gpu", "Library", "find_driver", "find_libraries", "pip_folders", "sonames"]

DRIVER = "libcuda.so.1"
#: Libraries whose version differs from CUDA's, by the major version of CUDA (CUDA 12 release notes, table 1).
_OWN_VERSIONS = {"12": {"cufft": "11", "cusolver": "11", "cusparse": "12"}}
_MAPS = Path("/proc/self/maps")
_LONGEST_NAME = 256


@dataclass(frozen=True)
class Library:
    """A shared library.

    Attributes:
        name: its file name with the major version, for example ``libcudnn.so.9``.
        path: the file that was loaded; None if it cannot be loaded, or if the system does not tell.
        failure: the reason why it cannot be loaded; None if it can.
    """

    name: str
    path: Path | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Gpu:
    """A GPU, as the driver describes it; ``memory`` is its total memory in bytes."""

    name: str
    memory: int


@dataclass(frozen=True)
class Driver:
    """NVIDIA's driver.

    Attributes:
        cuda: the newest version of CUDA that it supports, for example ``12.4``; None if it does not work.
        gpus: that this process may use.
        failure: the reason why it does not work; None if it does.
    """

    cuda: str | None = None
    gpus: tuple[Gpu, ...] = ()
    failure: str | None = None


def sonames(cuda: str, cudnn: str) -> list[str]:
    """The libraries that TensorFlow loads before it uses a GPU, for versions of CUDA and cuDNN such as 12.5.1 and 9.

    See ``TryDlopenCUDALibraries`` in TensorFlow's ``dlopen_checker.cc``. For an unknown version of CUDA, libraries with
    another version are left out.
    """
    major = cuda.split(".")[0]
    versions = {"cudart": major, "cublas": major, "cublasLt": major, **_OWN_VERSIONS.get(major, {})}
    return [f"lib{name}.so.{version}" for name, version in {**versions, "cudnn": cudnn.split(".")[0]}.items()]


def pip_folders(site_packages: Path) -> list[Path]:
    """The folders of the libraries that NVIDIA's packages for pip install beside TensorFlow."""
    return sorted(site_packages.glob("nvidia/*/lib"))


def find_libraries(names: Sequence[str], folders: Sequence[Path]) -> list[Library]:
    """Load libraries as TensorFlow does: from ``LD_LIBRARY_PATH``, else from folders, else from the system.

    A library that this process has loaded already stays the same, so call this after the import of TensorFlow.
    """
    return [_loaded(name, folders) for name in names]


def _loaded(name: str, folders: Sequence[Path]) -> Library:
    failure = ""
    for place in (name, *(str(folder / name) for folder in folders if (folder / name).exists())):
        try:
            ctypes.CDLL(place)
        except OSError as found:
            failure = str(found)
        else:
            return Library(name, _mapped(name))
    return Library(name, failure=failure)


def _mapped(name: str) -> Path | None:
    """The file of a loaded library. Its name can have more numbers than the library: ``libcudart.so.12.9.79``."""
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return None
    paths = (Path(line.split(maxsplit=5)[5]) for line in lines if "/" in line)
    return next((path for path in paths if path.name == name or path.name.startswith(f"{name}.")), None)


def find_driver(library: str = DRIVER) -> Driver:
    """Ask the driver for its version and its GPUs. It needs no CUDA library, and uses no memory of a GPU.

    The calls are those of the CUDA driver API, whose result is 0 for success.
    """
    try:
        driver = ctypes.CDLL(library)
        begin = driver.cuInit
    except OSError as failure:
        return Driver(failure=str(failure))
    except AttributeError:
        return Driver(failure=f"{library}: no driver of NVIDIA; it has no function cuInit")
    if code := begin(0):
        return Driver(failure=f"{library}: cuInit returns error {code} ({_meaning(driver, code)})")
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    return Driver(f"{version.value // 1000}.{version.value % 1000 // 10}", tuple(_gpus(driver)))


def _meaning(driver: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    driver.cuGetErrorString(code, ctypes.byref(text))
    return (text.value or b"unknown").decode(errors="replace")


def _gpus(driver: ctypes.CDLL) -> Iterator[Gpu]:
    count, device, size = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    driver.cuDeviceGetCount(ctypes.byref(count))
    for index in range(count.value):
        name = ctypes.create_string_buffer(_LONGEST_NAME)
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, _LONGEST_NAME, device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        yield Gpu(name.value.decode(errors="replace"), size.value)

"""Which libraries of CUDA can be loaded, and what the driver says: here of a driver that a compiler makes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from simtool.system.cuda import Gpu, find_driver, find_libraries, pip_folders, sonames
from simtool.tensorflow import load_tensorflow, tensorflow_build

#: The functions of the driver API that are called, for one GPU; or the failure of cuInit.
SOURCE = """
#include <string.h>
int cuInit(unsigned flags) { return RESULT; }
int cuGetErrorString(int code, const char **text) { *text = "no CUDA-capable device is detected"; return 0; }
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "NVIDIA A100-SXM4-80GB", length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 85094825984; return 0; }
"""


def driver(folder: Path, result: int) -> str:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("needs a C compiler")
    source, library = folder / "driver.c", folder / f"libcuda-{result}.so.1"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", f"-DRESULT={result}", "-o", library, source], check=True)
    return str(library)


def test_a_driver_tells_its_version_and_its_gpus(tmp_path: Path) -> None:
    found = find_driver(driver(tmp_path, 0))
    assert found.cuda == "12.4"
    assert found.gpus == (Gpu("NVIDIA A100-SXM4-80GB", 85_094_825_984),)
    assert found.failure is None


def test_a_driver_that_does_not_start_says_why(tmp_path: Path) -> None:
    library = driver(tmp_path, 100)
    assert find_driver(library).failure == (f"{library}: cuInit returns error 100 (no CUDA-capable device is detected)")


def test_a_missing_driver_and_another_library_are_no_driver() -> None:
    assert "libcuda-none.so.1: cannot open" in str(find_driver("libcuda-none.so.1").failure)
    assert "it has no function cuInit" in str(find_driver("libc.so.6").failure)


def test_libraries_are_found_on_the_system_and_in_folders_of_packages(tmp_path: Path) -> None:
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    [system] = [library.path for library in find_libraries(["libz.so.1"], [])]
    assert system is not None
    shutil.copy(system, folder / "libcudnn-copy.so.9")
    (folder / "libdamaged.so.9").write_text("no library")
    found, missing, damaged = find_libraries(
        ["libcudnn-copy.so.9", "libmissing.so.12", "libdamaged.so.9"], pip_folders(tmp_path)
    )
    assert (found.path, found.failure) == (folder / "libcudnn-copy.so.9", None)
    assert "libmissing.so.12: cannot open shared object file" in str(missing.failure)
    assert str(folder / "libdamaged.so.9") in str(damaged.failure)


def test_the_names_are_those_that_tensorflow_loads() -> None:
    build = tensorflow_build()
    stated = load_tensorflow().sysconfig.get_build_info()
    assert (build.cuda, build.cudnn) == (stated.get("cuda_version"), stated.get("cudnn_version"))
    assert sonames("12.5.1", "9") == [
        "libcudart.so.12",
        "libcublas.so.12",
        "libcublasLt.so.12",
        "libcufft.so.11",
        "libcusolver.so.11",
        "libcusparse.so.12",
        "libcudnn.so.9",
    ]
    assert all(re.fullmatch(r"lib\w+\.so\.\d+", name) for name in sonames("99.1", "10.2"))

"""Install simtool with the libraries of CUDA, and check that they load. A GPU and a driver are not needed.

    python -m tests.system.cuda_install FOLDER

This makes a virtual environment of about 7 GB in FOLDER from ``requirements-cuda.lock``. It runs ``simtool doctor``
there twice: with the environment variables of a laptop, and with those of a job with a GPU. It downloads 3 GB, so
pytest does not run it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
#: The variables of a job to which a GPU is given.
JOB = {"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0"}


def install(folder: Path) -> Path:
    """Make the environment, unless it is there, and return its Python."""
    python = folder / "bin" / "python"
    pip = (str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([*pip, "--require-hashes", "-r", str(PROJECT / "requirements-cuda.lock")], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(PROJECT)], check=True)
    return python


def examined(python: Path, **variables: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the result of ``simtool doctor --json`` with some variables set."""
    hidden = {"CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PYTHONPATH"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") and name not in hidden}
    command = [str(python), "-m", "simtool", "doctor", "--json"]
    done = subprocess.run(command, env=clean | variables, stdout=subprocess.PIPE, text=True, check=False)
    result: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, result


def check(python: Path) -> str:
    """Check what doctor finds, and describe it in one line."""
    code, found = examined(python)
    assert code == 0, found["failure"]
    for library in found["libraries"]:
        assert library["failure"] is None, library["failure"]
        assert Path(library["path"]).is_relative_to(python.parents[1].resolve()), f"{library['path']}: of another place"
    names = ", ".join(library["name"] for library in found["libraries"])
    if found["driver"]["gpus"]:
        assert found["device"]["gpus"] == len(found["driver"]["gpus"]), found["device"]
        return f"loaded {names}; TensorFlow computes on {found['device']['name']}"
    assert found["device"]["gpus"] == 0
    assert "libcuda.so.1" in found["driver"]["failure"]
    code, refused = examined(python, **JOB)
    assert code == 1
    assert "libcuda.so.1" in refused["failure"]
    assert "libcudart" not in refused["failure"]
    return f"loaded {names}; the driver is missing: {refused['failure']}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m tests.system.cuda_install FOLDER\n{__doc__}")
    sys.stdout.write(check(install(Path(sys.argv[1]).absolute())) + "\n")

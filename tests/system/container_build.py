"""Build the images of ``containers/`` on a base from Debian's packages, and run simtool in them.

    python -m tests.system.container_build FOLDER [LOCK]

It needs root, network, and ``debootstrap``, ``podman`` and ``buildah`` (Debian packages of these names). It needs no
base image of Docker Hub: Debian 12 with its Python stands for it, under the name in the Dockerfile. If ``apptainer`` is
there (Debian unstable has it), ``simtool.def`` is built and tested too. FOLDER needs 10 GB for ``requirements.lock``,
the default, and three times as much for ``requirements-cuda.lock``. The packages are downloaded for each image, so
pytest does not run this.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
CONTAINERS = PROJECT / "containers"
IMAGE = "localhost/simtool-check"
#: A user and a group that no image knows.
STRANGER = "12345:12345"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
#: Waits for SIGUSR1, as a training does, and ends with the code of a training that has saved.
_TRAINING = (
    "import signal, sys, time; got = []; signal.signal(signal.SIGUSR1, lambda *_: got.append(1)); "
    "print('ready', flush=True); time.sleep(30); time.sleep(1); print(len(got), flush=True); sys.exit(85)"
)


def run(*command: str | Path) -> str:
    """Run a command in the folder of the project, and return its output."""
    sys.stderr.write(f"$ {' '.join(str(word) for word in command)}\n")
    return subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True).stdout


def stand_in(folder: Path) -> str:
    """Make the base image, unless it is there, and return its name."""
    found = re.search(r"^ARG BASE=(\S+)$", (CONTAINERS / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    tree = folder / "base"
    if not (tree / "usr/bin/python").exists():
        run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", tree)
        # The network of this machine may need other certificates than those of Debian.
        shutil.copy(Path("/") / CERTIFICATES, tree / CERTIFICATES)
        (tree / "etc/pip.conf").write_text(f"[global]\ncert = /{CERTIFICATES}\n")
        (tree / "etc/uv").mkdir()
        (tree / "etc/uv/uv.toml").write_text("system-certs = true\n")
        (tree / "usr/bin/python").symlink_to("python3")
    run("tar", "-C", tree, "-cf", folder / "base.tar", ".")
    run("podman", "import", "--quiet", folder / "base.tar", found[1])
    return found[1]


def check_dockerfile(lock: str) -> str:
    """Build the Dockerfile, and describe what simtool finds in the image."""
    options = ("--isolation", "chroot", "--build-arg", f"LOCK={lock}", "-f", CONTAINERS / "Dockerfile", "-t", IMAGE)
    run("buildah", "bud", "--quiet", *options, ".")
    container = run("buildah", "from", IMAGE).strip()
    try:
        inside = ("buildah", "run", "--isolation", "chroot", "--user", STRANGER, container, "--")
        found = json.loads(run(*inside, "simtool", "doctor", "--device", "cpu", "--json"))
        assert "trials" in run(*inside, "sh", "-c", "cd /tmp && simtool demo")
    finally:
        run("buildah", "rm", container)
    return f"Dockerfile: {described(found, lock)}"


def check_definition(folder: Path, base: str, lock: str) -> str:
    """Build the definition of Apptainer, and describe what simtool finds in the image."""
    run("podman", "push", "--quiet", base, f"oci-archive:{folder / 'base.oci'}:latest")
    definition, image = folder / "stand-in.def", folder / "simtool.sif"
    text = (CONTAINERS / "simtool.def").read_text()
    assert text.startswith("Bootstrap: docker\n")
    definition.write_text(text.replace("Bootstrap: docker", "Bootstrap: oci-archive", 1))
    arguments = ("--build-arg", f"LOCK={lock}", "--build-arg", f"BASE={folder / 'base.oci'}")
    run("apptainer", "build", "--force", *arguments, image, definition)
    inside = ("apptainer", "exec", "--nv", image)
    found = json.loads(run(*inside, "simtool", "doctor", "--device", "cpu", "--json"))
    assert found["container"] == {"program": "Apptainer", "image": str(image)}
    training = subprocess.Popen([*inside, "python", "-c", _TRAINING], stdout=subprocess.PIPE, text=True)
    assert training.stdout
    assert training.stdout.readline() == "ready\n"
    os.kill(training.pid, signal.SIGUSR1)
    time.sleep(0.1)
    assert (training.communicate()[0], training.returncode) == ("1\n", 85)
    return f"simtool.def: {described(found, lock)}; a signal arrives once, and exit code 85 comes back"


def described(found: dict[str, Any], lock: str) -> str:
    """Describe an image by the result of ``simtool doctor``. Its packages must be those of the lock file."""
    # The lock file holds some packages in two versions, for older and newer versions of Python.
    locked = set(re.findall(r"^([\w-]+)==(\S+) ", (PROJECT / lock).read_text(), re.MULTILINE))
    versions = found["versions"]
    for package in ("tensorflow", "keras", "numpy", "pyarrow", "openvino"):
        assert (package, versions[package]) in locked, package
    missing = [library["name"] for library in found["libraries"] if library["failure"]]
    assert bool(missing) == ("cuda" not in lock), missing
    libraries = f"{'no' if missing else 'all'} libraries of CUDA"
    return f"tensorflow {versions['tensorflow']}, {libraries}, {found['device']['name']}"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: python -m tests.system.container_build FOLDER [LOCK]\n{__doc__}")
    place, file = Path(sys.argv[1]).absolute(), (*sys.argv[2:], "requirements.lock")[0]
    place.mkdir(parents=True, exist_ok=True)
    name = stand_in(place)
    sys.stdout.write(f"{check_dockerfile(file)}\n")
    if shutil.which("apptainer"):
        sys.stdout.write(f"{check_definition(place, name, file)}\n")
    else:
        sys.stdout.write("simtool.def: not built, since there is no apptainer\n")

"""The container that this process runs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simtool.system.groups import ROOT

__all__ = ["Container", "find_container"]

#: How each program gives the GPUs of the machine to a container.
_GPU_OPTIONS = {
    "Apptainer": "--nv",
    "Singularity": "--nv",
    "Docker": "--gpus all",
    "Podman": "--device nvidia.com/gpu=all",
}
#: Files that exist only in a container.
_FILES = {".dockerenv": "Docker", "run/.containerenv": "Podman"}


@dataclass(frozen=True)
class Container:
    """A container.

    Attributes:
        program: that started it, for example ``Apptainer``.
        image: the path of its image; None if the program does not tell.
    """

    program: str
    image: str | None = None

    @property
    def gpu_option(self) -> str:
        """The option of the program that gives GPUs to the container."""
        return _GPU_OPTIONS[self.program]

    def words(self) -> str:
        """The program and the image."""
        return f"{self.program}, image {self.image}" if self.image else self.program


def find_container(environment: Mapping[str, str], root: Path = ROOT) -> Container | None:
    """Return the container of this process; None outside of a container.

    Apptainer names the image in a variable. Podman sets ``container``, because a read-only container has no file.
    """
    for program in ("Apptainer", "Singularity"):
        if image := environment.get(f"{program.upper()}_CONTAINER"):
            return Container(program, image)
    stated = environment.get("container", "").capitalize()
    if stated in _GPU_OPTIONS:
        return Container(stated)
    return next((Container(program) for file, program in _FILES.items() if (root / file).exists()), None)

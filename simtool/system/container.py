"""The container that this process runs in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from simtool.system.groups import ROOT

__all__ = ["container_name"]

#: Variables that hold the path of the image.
_IMAGES = {"APPTAINER_CONTAINER": "Apptainer", "SINGULARITY_CONTAINER": "Singularity"}
#: Files that exist only in a container.
_FILES = {".dockerenv": "Docker", "run/.containerenv": "Podman"}


def container_name(environment: Mapping[str, str], root: Path = ROOT) -> str | None:
    """Return the program that started the container; None outside of a container."""
    for variable, name in _IMAGES.items():
        if variable in environment:
            return name
    return next((name for file, name in _FILES.items() if (root / file).exists()), None)

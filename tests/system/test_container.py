"""The container of a process, by the traces of the program that started it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simtool.system.container import Container, find_container


@pytest.mark.parametrize(
    ("environment", "file", "found"),
    [
        ({}, None, None),
        ({"APPTAINER_CONTAINER": "/a.sif", "SINGULARITY_CONTAINER": "/a.sif"}, None, Container("Apptainer", "/a.sif")),
        ({"SINGULARITY_CONTAINER": "/a.sif"}, None, Container("Singularity", "/a.sif")),
        ({"APPTAINER_CONTAINER": "/a.sif"}, ".dockerenv", Container("Apptainer", "/a.sif")),
        ({"container": "podman"}, None, Container("Podman")),
        ({}, "run/.containerenv", Container("Podman")),
        ({}, ".dockerenv", Container("Docker")),
        ({"container": "systemd-nspawn"}, None, None),
    ],
)
def test_the_nearest_container_is_found(
    environment: dict[str, str], file: str | None, found: Container | None, tmp_path: Path
) -> None:
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert find_container(environment, tmp_path) == found


def test_words_name_the_image_and_the_option_for_gpus() -> None:
    assert Container("Apptainer", "/a.sif").words() == "Apptainer, image /a.sif"
    assert Container("Docker").words() == "Docker"
    assert (Container("Apptainer").gpu_option, Container("Docker").gpu_option) == ("--nv", "--gpus all")

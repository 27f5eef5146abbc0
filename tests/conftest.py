"""Fixtures that the tests of several packages share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

#: The folder of real judgments and photographs, outside of the project.
REAL_DATA = Path(os.environ.get("SIMTOOL_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_configure() -> None:
    """Enable Ctrl-C as in a terminal. Programs that a shell starts in the background ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _real(name: str) -> Path:
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: set SIMTOOL_REAL_DATA to the folder that holds {name}")
    return folder


@pytest.fixture(scope="session")
def birds16() -> Path:
    """The folder of the real birds-16 judgments and photographs."""
    return _real("birds16")


@pytest.fixture(scope="session")
def formats() -> Path:
    """The folder of samples of other tools' files, with the expected trials or vectors."""
    return _real("formats")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of vectors of birds-16 from a network with ImageNet's weights, computed by PyTorch."""
    return _real("vectors")


@pytest.fixture(scope="session")
def cub127() -> Path:
    """The folder of real CUB photographs in the official archive's layout."""
    return _real("cub127")

"""Fixtures that several packages' tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

#: Real judgments and photographs, kept beside the project (never in it).
REAL_DATA = Path(os.environ.get("SIMTOOL_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_configure() -> None:
    """Let Ctrl-C act as in a terminal; what a shell starts in the background ignores it, and so would all tests."""
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
def cub127() -> Path:
    """The folder of real CUB photographs in the official archive's layout."""
    return _real("cub127")

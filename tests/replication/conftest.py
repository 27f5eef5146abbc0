"""Fixtures of the replication: the command line, and the images of birds-16."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from simtool.cli import app
from tests.replication.accuracies import Run


@pytest.fixture(scope="module")
def run() -> Run:
    def simtool(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return simtool


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def images(birds16: Path, folder: Path, run: Run) -> Path:
    run("index-images", birds16 / "images", "--out", folder / "images.parquet")
    return folder / "images.parquet"

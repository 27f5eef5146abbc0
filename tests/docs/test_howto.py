"""The examples of the how-to pages and of the README run, in the order of the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from simtool.cli import app
from tests.docs.examples import ROOT, blocks, commands
from tests.docs.running import printed

pytestmark = [pytest.mark.slow, pytest.mark.system]

#: The files whose content the page on judgments shows, in order.
SHEETS = ("votes.csv", "judgments.csv", "odd-one-out.csv", "numbers.csv", "names.csv")
IDS = ("Wren/a.jpg", "Wren/b.jpg", "Tern/a.jpg", "Tern/b.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images and the judgments of the how-to page on judgments."""
    random = np.random.default_rng(0)
    for name in IDS:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(path)
    sheets = (block.text for block in blocks(ROOT / "docs" / "howto-judgments.md") if block.language == "text")
    for name, sheet in zip(SHEETS, sheets, strict=True):
        (tmp_path / name).write_text(sheet)
    return tmp_path


@pytest.mark.parametrize("name", ["README.md", "docs/howto-judgments.md", "docs/howto-model.md"])
def test_the_examples_of_a_page_run_in_its_order(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands run in this process, since each start takes longer than most of the examples."""
    monkeypatch.chdir(folder)
    for block in blocks(ROOT / name):
        if block.language == "python" and name != "README.md":  # whose model is the reader's
            printed(block, folder)
        for words in commands(block.text) if block.language == "bash" else ():
            assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0, words

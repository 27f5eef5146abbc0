"""The page on the Python API: its example runs, and its table lists every function."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from simtool import stages
from tests.docs.examples import ROOT, blocks

PAGE = ROOT / "docs" / "api.md"


@pytest.mark.slow
def test_the_example_runs_as_in_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(PAGE):
        exec(compile(block.text, str(PAGE), "exec"), names)  # noqa: S102 - the code of this page
    printed = capfd.readouterr().out
    assert "48 images, 780 trials" in printed
    assert "missing.parquet: no such file" in printed
    assert names["best"].estimate > 0.5
    assert {path.name for path in tmp_path.iterdir()} == {"toy", "outcomes.parquet", "report.html", "numbers.csv"}


def test_the_table_lists_every_function() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)(?: --[a-z-]+)?` \| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert all(
        function in (command.replace("-", "_"), command.replace("train-", "plan_"), "list_layers")
        for command, function in rows
    )
    assert sorted(function for _, function in rows) == sorted(stages.__all__)

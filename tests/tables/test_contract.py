"""The page on tables: its code runs, and it names the columns of the contract."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from simtool.designs import DESIGNS
from simtool.tables.files import VERSIONS, metadata_of
from simtool.tables.outcomes import Outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, write_trials

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text()


def code(language: str, word: str) -> str:
    """The block of code of the page that contains a word."""
    (block,) = (found for found in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if word in found)
    return str(block)


def test_credit_is_averaged_and_joined_by_the_lines_of_the_page(
    tmp_path: Path,
    trials: Trials,
    provenance: Provenance,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_trials(tmp_path / "trials.parquet", trials, provenance)
    outcomes = Outcomes("pixels", "mse", trials, np.array([1, 0.5, 0, 1, 0, 0, 1], np.float32))
    write_outcomes(tmp_path / "outcomes.parquet", trials, [outcomes], provenance)
    exec(code("python", "credit"), {"pd": pd})  # noqa: S102
    assert re.findall(r"(p\d) +([0-9.]+)", capsys.readouterr().out) == [("p1", "0.500000"), ("p2", "0.333333")]
    joined = duckdb.connect().execute(code("sql", "credit")).fetchall()
    assert joined == [("p1", pytest.approx(0.5)), ("p2", pytest.approx(1 / 3)), (None, pytest.approx(1))]


def test_the_page_states_the_versions_that_are_written(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    others = {version for kind, version in VERSIONS.items() if kind != "outcomes"}
    assert f"{VERSIONS['outcomes']} for outcomes, {others.pop()} for the other tables" in PAGE
    assert not others
    write_trials(tmp_path / "t.parquet", trials, provenance)
    assert metadata_of(pq.read_schema(tmp_path / "t.parquet"))["version"] == 1


def test_the_page_describes_every_design() -> None:
    assert all(f"| N-{word}-" in PAGE for word in DESIGNS)

"""A new design is one module and one entry in the table: here the nearest pair, defined in this test alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simtool.analysis.metrics import METRICS
from simtool.cli import app
from simtool.designs import DESIGNS, DesignError, TrialScore, TrialType, parse_type
from simtool.designs.trial_type import Codes, Positions
from simtool.tables.embeddings import write_embeddings
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, write_trials

PROVENANCE = Provenance.of(["test"], [])


class Pair(TrialType):
    """``N-pair-2``: N images without a query, of which the two most similar are selected."""

    word = "pair"
    selections = "2"
    has_query = False
    requirement = "3 <= references <= 128 and 2 selected"

    @property
    def possible(self) -> bool:
        return self.n_select == 2 and 3 <= self.n_reference <= 128

    @property
    def comparisons(self) -> int:
        return 2 * (self.n_reference - 2)

    def compare(self, _: Codes, references: Codes, selected: Positions) -> tuple[Codes, Codes, Codes]:
        pair = np.take_along_axis(references, selected.astype(np.intp), axis=1)
        others = references[(references[:, :, None] != pair[:, None]).all(axis=2)].reshape(len(references), -1)
        anchor = np.repeat(pair, self.n_reference - 2, axis=1)
        return anchor, np.repeat(pair[:, ::-1], self.n_reference - 2, axis=1), np.tile(others, (1, 2))

    @property
    def scores(self) -> Mapping[str, TrialScore]:
        right = TrialScore(1 / self.n_reference, lambda credit, _: (credit == 1).all(axis=1).astype(np.float64))
        return {"top_1": right}

    def key_images(self, query: Codes, references: Codes, selected: Positions) -> Codes:
        return np.column_stack([each[:, 0] for each in self.compare(query, references, selected)])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DESIGNS, "pair", Pair)


def test_a_type_of_the_design_is_known() -> None:
    assert (str(parse_type("4-pair-2")), parse_type("4-pair-2").comparisons) == ("4-pair-2", 4)
    with pytest.raises(DesignError, match="trial type 3-pair-1: needs 3 <= references <= 128 and 2 selected"):
        parse_type("3-pair-1")
    with pytest.raises(DesignError, match="known are N-rank-K, N-choose-K, N-odd-1, N-pair-2 "):
        parse_type("3-pear-1")


def test_trials_of_the_design_are_scored_and_reported_from_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 4)).astype(np.float32)
    shown = np.array([rng.permutation(12)[:3] for _ in range(60)])
    apart = np.square(vectors[shown][:, :, None] - vectors[shown][:, None]).sum(axis=3)
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    nearest = pairs[apart[:, pairs[:, 0], pairs[:, 1]].argmin(axis=1)]
    names = [f"image {number}" for number in range(12)]
    trials = Trials.build(names, ["3-pair-2"] * 60, np.full(60, -1), shown, nearest)
    write_trials(tmp_path / "t.parquet", trials, PROVENANCE)
    write_embeddings(tmp_path / "right.parquet", names, vectors, PROVENANCE, name="right")

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.stdout

    run(
        "score", tmp_path / "right.parquet", "--trials", tmp_path / "t.parquet", "--distance", "mse",
        "--out", tmp_path / "o.parquet",
    )  # fmt: skip
    assert "3-pair-2" in run("show", tmp_path / "t.parquet")
    rows = json.loads(run("report", tmp_path / "o.parquet", "--trial-type", "3-pair-2", "--json", "-"))
    assert {(row["metric"], row["chance"], row["estimate"]) for row in rows if row["metric"] in METRICS} == {
        ("triplet_accuracy", 0.5, 1),
        ("top_1", 1 / 3, 1),
    }

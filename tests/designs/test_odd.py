"""Odd-one-out judgments, from tables of trials to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from simtool.cli import app
from simtool.designs import Odd
from simtool.tables.embeddings import write_embeddings
from simtool.tables.files import TableError
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials

PROVENANCE = Provenance.of(["test"], [])


def odd_trials(count: int = 60, images: int = 12) -> tuple[Trials, np.ndarray]:
    """Judgments by the distances of some vectors, in trials of three images and, every third, of a query and two."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(images, 4)).astype(np.float32)
    shown = np.array([rng.permutation(images)[:3] for _ in range(count)])
    apart = np.square(vectors[shown][:, :, None] - vectors[shown][:, None]).sum(axis=3)
    odd = np.arange(count) % 3 > 0
    query = np.where(odd, -1, shown[:, 0])
    references = np.where(odd[:, None], shown, np.column_stack([shown[:, 1:], np.full(count, -1)]))
    unlike = np.stack([apart[:, 1, 2], apart[:, 0, 2], apart[:, 0, 1]], axis=1).argmin(axis=1)
    selected = np.where(odd, unlike, apart[:, 0, 1:].argmin(axis=1))[:, None]
    types = ["3-odd-1" if one else "2-choose-1" for one in odd]
    people = [f"p{number % 5}" for number in range(count)]
    names = [f"image {number}" for number in range(images)]
    return Trials.build(names, types, query, references, selected, participant=people), vectors


def test_trials_without_a_query_have_null_in_the_table(tmp_path: Path) -> None:
    trials, _ = odd_trials()
    write_trials(tmp_path / "t.parquet", trials, PROVENANCE)
    assert pq.read_table(tmp_path / "t.parquet").column("query").null_count == 40
    read = read_trials(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read.query < 0, trials.query < 0)
    for kind in trials.types:
        rows, count = trials.of_type(kind), kind.n_reference
        shown, expected = (each.images[each.references[rows, :count]] for each in (read, trials))
        np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize(
    ("kind", "query", "complaint"),
    [
        ("3-odd-1", 0, "trial_id 0 has a query, which trials of its type do not have"),
        ("3-choose-1", -1, "trial_id 0 has no query"),
    ],
)
def test_whether_a_trial_has_a_query_is_checked(kind: str, query: int, complaint: str) -> None:
    with pytest.raises(TableError, match=complaint):
        Trials.build(list("qabc"), [kind], np.array([query]), np.array([[1, 2, 3]]), np.array([[0]]))


def test_trials_of_the_design_are_scored_and_reported_from_files(tmp_path: Path) -> None:
    trials, vectors = odd_trials()
    write_trials(tmp_path / "t.parquet", trials, PROVENANCE)
    names = [str(name) for name in trials.images]
    noise = np.random.default_rng(1).normal(size=vectors.shape).astype(np.float32)
    write_embeddings(tmp_path / "right.parquet", names, vectors, PROVENANCE, name="right")
    write_embeddings(tmp_path / "noise.parquet", names, noise, PROVENANCE, name="noise")

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.stdout

    tables = [tmp_path / "right.parquet", tmp_path / "noise.parquet"]
    outcomes = tmp_path / "o.parquet"
    run("score", *tables, "--trials", tmp_path / "t.parquet", "--distance", "mse", "--out", outcomes)
    right, wrong = read_outcomes([outcomes])
    assert (len(right.credit), right.credit.min()) == (100, 1)
    assert 0.3 < wrong.credit.mean() < 0.7
    assert "100" in run("show", tmp_path / "t.parquet")
    shown = run("report", outcomes, "--replicates", 100)
    assert "Triplet accuracy, 3-odd-1: 40 trials, 80 comparisons, chance .500" in shown
    rows = json.loads(run("report", outcomes, "--trial-type", "3-odd-1", "--json", "-", "--replicates", 100))
    assert {(row["metric"], row["chance"]) for row in rows} == {("triplet_accuracy", 0.5), ("odd_one_out", 1 / 3)}
    found = {(row["model"], row["metric"]): row["estimate"] for row in rows}
    assert found["right", "triplet_accuracy"] == found["right", "odd_one_out"] == 1
    assert found["noise", "triplet_accuracy"] == pytest.approx(wrong.of_type(Odd(3, 1)).mean())

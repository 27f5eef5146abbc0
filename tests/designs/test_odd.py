"""Odd-one-out judgments, from tables of trials to the report."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from simtool.analysis.building import build_report
from simtool.analysis.metrics import METRICS
from simtool.analysis.report import Settings
from simtool.cli import app
from simtool.designs import Odd
from simtool.judgments.comparisons import key_images
from simtool.tables.embeddings import write_embeddings
from simtool.tables.files import TableError
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials
from tests.scored import latent, model, observe, outcomes_of

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


def in_places(trials: Trials, order: np.ndarray) -> Trials:
    """The same odd-one-out trials with their images at other places, (T, 3)."""
    references = np.take_along_axis(trials.references, order, axis=1)
    selected = (order == trials.selected.astype(int)).argmax(axis=1)[:, np.newaxis].astype(np.int8)
    return replace(trials, references=references, selected=selected)


@pytest.mark.parametrize("tied", [False, True])
def test_the_places_of_the_images_change_no_number_of_a_report(tied: bool) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 9)
    trials = observe(rng, minds, {"3-odd-1": 1200})
    distances = model(rng, minds, 1.0)
    distances = np.rint(distances) if tied else distances
    moved = in_places(trials, rng.permuted(np.tile(np.arange(3), (1200, 1)), axis=1))
    assert (moved.selected != trials.selected).any()
    reports = [
        build_report([outcomes_of("model", "mse", each, distances)], Settings(replicates=100))
        for each in (trials, moved)
    ]
    first, second = (report.rows for report in reports)
    assert [row.metric.name for row in first] == ["triplet_accuracy", "triplet_accuracy", "odd_one_out"]
    for one, other in zip(first, second, strict=True):
        assert (one.low, one.estimate, one.high) == pytest.approx((other.low, other.estimate, other.high))
        assert (one.ties, one.sample) == (other.ties, other.sample)
        assert (one.ties > 0) == tied
    for found, expected in zip(*(report.noise_ceilings for report in reports), strict=True):
        assert found.agreement is not None
        assert expected.agreement is not None
        assert astuple(found.agreement) == pytest.approx(astuple(expected.agreement))
        for one, other in zip(found.reached, expected.reached, strict=True):
            assert astuple(one.accuracy) == pytest.approx(astuple(other.accuracy))


def test_a_model_with_equal_vectors_is_at_chance() -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 9), {"3-odd-1": 30, "5-odd-1": 30})
    rows = build_report([outcomes_of("same", "mse", trials, np.zeros((9, 9)))], Settings(replicates=100)).rows
    assert {row.trial_type for row in rows} == {"all", "3-odd-1", "5-odd-1"}
    assert [row.estimate for row in rows] == pytest.approx([row.chance for row in rows])


def test_three_images_decide_which_trials_depend_on_each_other() -> None:
    trials, _ = odd_trials()
    rows = trials.of_type(Odd(3, 1))
    np.testing.assert_array_equal(np.sort(key_images(trials)[rows]), np.sort(trials.references[rows]))


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
    assert "Odd one of three right, 3-odd-1: 40 trials, 80 comparisons, chance .333" in shown
    for view in ("--html", "--markdown"):
        assert "Odd one of three right, 3-odd-1" in run("report", outcomes, view, "-", "--replicates", 100)
    assert ",3-odd-1,odd_one_out," in run("report", outcomes, "--csv", "-", "--replicates", 100)
    words = ("--metric", "odd_one_out", "--figure", tmp_path / "odd.svg", "--replicates", 100)
    assert "Triplet" not in run("report", outcomes, *words)
    assert (tmp_path / "odd.svg").stat().st_size
    rows = json.loads(run("report", outcomes, "--trial-type", "3-odd-1", "--json", "-", "--replicates", 100))
    rows = [row for row in rows if row["metric"] in METRICS]
    assert {(row["metric"], row["chance"]) for row in rows} == {("triplet_accuracy", 0.5), ("odd_one_out", 1 / 3)}
    found = {(row["model"], row["metric"]): row["estimate"] for row in rows}
    assert found["right", "triplet_accuracy"] == found["right", "odd_one_out"] == 1
    assert found["noise", "triplet_accuracy"] == pytest.approx(wrong.of_type(Odd(3, 1)).mean())

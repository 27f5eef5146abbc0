"""``fit-psych`` writes a table of embeddings and out-of-fold outcomes, which every other stage reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from simtool.judgments.folds import HoldOut, trial_folds
from simtool.psychological.fitting import DIMENSIONS, Settings, fitted
from simtool.psychological.sample import Sample
from simtool.tables.embeddings import open_embeddings
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials
from tests.psychological.planted import GROUPS, planted, points_of

Simtool = Callable[..., Any]


@pytest.fixture(scope="module")
def judged() -> Trials:
    sample = planted(points_of(14, 2), {"8-rank-2": 150, "2-choose-1": 100}, groups=GROUPS)
    kinds = pa.array([sample.groups[code] for code in sample.group])
    return replace(sample.trials, extra={"expertise": kinds})


@pytest.fixture
def home(tmp_path: Path, judged: Trials) -> Path:
    write_trials(tmp_path / "trials.parquet", judged, Provenance.of(["test"], []))
    return tmp_path


def test_vectors_and_outcomes_out_of_fold_are_written(simtool: Simtool, home: Path) -> None:
    options = ("--dimensions", 2, "--out", home / "psych.parquet", "--outcomes", home / "out.parquet", "--folds", 2)
    ran = simtool("fit-psych", home / "trials.parquet", *options, "--restarts", 1)
    assert ran.code == 0, ran.err
    table = open_embeddings(home / "psych.parquet")
    assert (table.info.name, table.info.dimension, len(table)) == ("psychological 2", 2, 14)
    similarity = json.loads(table.info.similarity or "")
    assert similarity["exponent"] == 1
    assert similarity["scales"]["8-rank-2"] == 1
    (outcomes,) = read_outcomes([home / "out.parquet"])
    assert (outcomes.model, outcomes.distance) == ("psychological 2, by trial", "euclidean")
    sample = Sample.of(read_trials(home / "trials.parquet"))
    fold = trial_folds(sample.trials, HoldOut.TRIAL, 2)[1]
    alone = fitted(sample.take(fold.train), 2, Settings(restarts=1))
    assert outcomes.log_likelihood is not None
    expected = alone.log_probability(sample.take(fold.test))
    np.testing.assert_allclose(outcomes.log_likelihood[fold.test], expected, rtol=1e-5)
    header, *lines = ran.out.splitlines()
    assert header.split() == ["trials", "held", "out", "nats", "own", "choices", "fitted", "again", "noise", "ceiling"]
    assert [line.split()[0] for line in lines] == [check.trial_type for check in outcomes.checks]
    shown = simtool("report", home / "out.parquet", "--replicates", 100)
    assert "Model-based noise ceiling of triplet accuracy" in shown.out


def test_without_dimensions_each_tried_number_is_told_with_its_loss(simtool: Simtool, home: Path) -> None:
    ran = simtool("fit-psych", home / "trials.parquet", "--restarts", 1, "--out", home / "psych.parquet")
    assert ran.code == 0, ran.err
    found = re.findall(r"^(\d+) dimensions?: (\d\.\d{4}) nats for each held-out trial$", ran.err, re.MULTILINE)
    numbers = [int(number) for number, _ in found]
    assert numbers == list(DIMENSIONS[: len(numbers)])
    best = min(found, key=lambda each: float(each[1]))[0]
    assert f"vectors of {best} values" in ran.err


def test_scoring_the_same_judgments_warns(simtool: Simtool, home: Path) -> None:
    trials = home / "trials.parquet"
    assert simtool("fit-psych", trials, "--dimensions", 1, "--restarts", 1, "--out", home / "psych.parquet").code == 0
    ran = simtool("score", home / "psych.parquet", "--trials", trials, "--out", home / "out.parquet")
    assert ran.code == 0
    assert "was fitted to judgments; its accuracy on the same judgments is too high" in ran.err


def test_groups_of_a_column_weigh_the_dimensions(simtool: Simtool, home: Path) -> None:
    options = ("--dimensions", 2, "--restarts", 1, "--groups", "expertise", "--name", "experts")
    assert simtool("fit-psych", home / "trials.parquet", *options, "--out", home / "psych.parquet").code == 0
    table = open_embeddings(home / "psych.parquet")
    weights = json.loads(table.info.similarity or "")["weights"]
    assert table.info.name == "experts"
    assert list(weights) == ["group-0", "group-1"]
    assert np.argmax(weights["group-0"]) != np.argmax(weights["group-1"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hold-out", "image"], "--hold-out image: impossible, because only judgments of an image give it a place"),
        (["--hold-out", "class"], "--hold-out class: impossible"),
        (["--hold-out", "comparison"], "--hold-out comparison: the other comparisons of a trial tell about it"),
        (["--hold-out", "bird"], "--hold-out is one of"),
        (["--exponent", "0"], "--exponent 0: choose a number from 0.1 to 4"),
        (["--groups", "taste"], "--groups taste: the trials have no such column"),
        (["--hold-out", "participant"], "the trials name no participant"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(simtool: Simtool, home: Path, options: list[str], message: str) -> None:
    out = home / "psych.parquet"
    ran = simtool("fit-psych", home / "trials.parquet", "--dimensions", 1, "--restarts", 1, "--out", out, *options)
    assert ran.code in (1, 2)
    assert message in ran.err.splitlines()[-1]
    assert not out.exists()


def test_trials_without_a_group_are_counted(simtool: Simtool, home: Path, judged: Trials) -> None:
    names = [None, *judged.extra["expertise"].to_pylist()[1:]]
    write_trials(home / "t.parquet", replace(judged, extra={"expertise": pa.array(names)}), Provenance.of(["t"], []))
    ran = simtool("fit-psych", home / "t.parquet", "--groups", "expertise", "--out", home / "psych.parquet")
    assert ran.err.splitlines()[-1] == "error: --groups expertise: the value of 1 trial is missing; fill the column"


def test_folds_that_are_impossible_are_refused_before_anything_is_fitted(
    simtool: Simtool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simtool.stages.psychological.fitted", lambda *_: pytest.fail("it fits"))
    words = ("--out", home / "p.parquet", "--hold-out", "trial", "--folds", 100_000)
    ran = simtool("fit-psych", home / "trials.parquet", *words)
    assert (ran.code, "cannot be split into 100000 folds" in ran.err) == (2, True)

"""``simtool check``, as a person at the terminal would run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simtool.stages import score
from simtool.tables.embeddings import write_embeddings
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, write_trials
from tests.scored import latent, observe

if TYPE_CHECKING:
    from tests.commands.conftest import Outcome

    Run = Callable[..., Outcome]

FEW = ("--studies", 12, "--replicates", 100)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of two models, and their outcomes."""
    home = tmp_path_factory.mktemp("check")
    rng = np.random.default_rng(0)
    minds = latent(rng, 20)
    trials = observe(rng, minds, {"4-rank-2": 60, "3-odd-1": 60})
    made = Provenance.of(("simtool", "embed"), [])
    write_trials(home / "trials.parquet", trials, made)
    for name, noise in (("near", 0.3), ("far", 2.0)):
        vectors = (minds + rng.normal(scale=noise, size=minds.shape)).astype(np.float32)
        write_embeddings(home / f"{name}.parquet", trials.images, vectors, made, name)
    score([home / "near.parquet", home / "far.parquet"], home / "trials.parquet", home / "outcomes.parquet")
    return home


def test_outcomes_alone_tell_about_intervals_tests_and_power(simtool: Run, home: Path) -> None:
    done = simtool("check", home / "outcomes.parquet", *FEW)
    assert done.code == 0
    assert "Validity of 120 trials of 8 participants with 20 images" in done.out
    titles = ["Smallest differences", "Coverage", "Type I error", "Width of the intervals", "Power"]
    assert [title for title in titles if f"\n{title}" in done.out] == titles
    assert "Shuffled judgments and model recovery need the tables" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 80


def test_vectors_add_shuffled_judgments_and_recovery(simtool: Run, home: Path) -> None:
    tables = [word for name in ("near", "far") for word in ("--vectors", home / f"{name}.parquet")]
    done = simtool("check", home / "outcomes.parquet", *tables, "--reweight", 1, "--json", home / "check.json", *FEW)
    assert done.code == 0
    assert "Shuffled judgments: chance is .5" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 80
    found = json.loads((home / "check.json").read_text())
    recovery = [row for row in found if row["check"] == "recovery"]
    labels = [(row["model"], row["distance"]) for row in recovery if row["studies"] > 1]
    assert labels == [(model, distance) for model in ("near", "far") for distance in ("mse", "cosine")]
    assert labels == [(row["model"], row["distance"]) for row in found if row["check"] == "shuffled"]
    learned = {(row["model"], row["rule"], row["candidates"]) for row in recovery if row["studies"] == 1}
    states = ("as they are", "reweighted")
    assert learned == {(model, rule, state) for model in ("near", "far") for rule in states for state in states}
    assert all(0.4 < row["accuracy"] < 0.6 for row in found if row["check"] == "shuffled")


def test_json_can_go_to_standard_output_and_is_the_same_for_the_same_seed(simtool: Run, home: Path) -> None:
    first, again = (simtool("check", home / "outcomes.parquet", "--json", "-", "--seed", 1, *FEW) for _ in range(2))
    rows = json.loads(first.out)
    assert {row["check"] for row in rows} == {"detectable", "coverage", "power"}
    assert {row["studies_with"] for row in rows if row["check"] == "coverage"} == {"same images", "new images"}
    assert first.out == again.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--vectors", "{home}/trials.parquet"), "trials.parquet"),
        (("--vectors", "{home}/near.parquet", "--name", "far"), "the outcomes of far with mse are those of another"),
        (("--vectors", "{home}/near.parquet", "--name", "new"), "near.parquet: the outcomes hold near, far, not new"),
        (("--vectors", "{home}/near.parquet", "--reweight", "1"), "give --vectors with the vectors of two models"),
        (("--name", "far"), "give one --name for each table of --vectors, not 1 for 0"),
        (("--studies", "5"), "--studies"),
        (("--json", "{home}/outcomes.parquet"), "this is an input, which the output would replace"),
    ],
)
def test_wrong_input_gets_one_line(simtool: Run, home: Path, words: tuple[str, ...], reason: str) -> None:
    done = simtool("check", home / "outcomes.parquet", *FEW, *(word.format(home=home) for word in words))
    assert done.code in (1, 2)
    assert reason in done.err.splitlines()[-1]
    assert done.out == ""


def test_outcomes_on_different_trials_are_refused(simtool: Run, home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    trials: Trials = observe(rng, latent(rng, 20), {"2-choose-1": 20})
    write_trials(tmp_path / "trials.parquet", trials, Provenance.of(("simtool",), []))
    made = Provenance.of(("simtool", "embed"), [])
    write_embeddings(tmp_path / "v.parquet", trials.images, rng.normal(size=(20, 3)), made, "v")
    score([tmp_path / "v.parquet"], tmp_path / "trials.parquet", tmp_path / "outcomes.parquet")
    done = simtool("check", home / "outcomes.parquet", tmp_path / "outcomes.parquet")
    assert done.code == 1
    assert "the outcomes are on different trials" in done.err


def test_one_trial_of_one_model_gives_valid_json_and_no_alarm(simtool: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 24)
    trials = observe(rng, minds, {"2-choose-1": 1})
    made = Provenance.of(("simtool", "embed"), [])
    write_trials(tmp_path / "trials.parquet", trials, made)
    write_embeddings(tmp_path / "v.parquet", trials.images, minds.astype(np.float32), made, "v")
    score([tmp_path / "v.parquet"], tmp_path / "trials.parquet", tmp_path / "outcomes.parquet")
    words = ("check", tmp_path / "outcomes.parquet", "--vectors", tmp_path / "v.parquet", *FEW)
    done = simtool(*words, "--json", tmp_path / "check.json")
    assert done.code == 0
    found = json.loads((tmp_path / "check.json").read_text(), parse_constant=pytest.fail)
    assert {row["check"] for row in found} == {"coverage", "power", "shuffled"}
    assert "Model recovery needs the tables of two models or more" in done.out
    assert "cannot be trusted" not in done.out
    assert "inf" not in done.out.split()

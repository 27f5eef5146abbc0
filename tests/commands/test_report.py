"""``simtool report``, as a person at the terminal would run it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.scored import latent, model, observe, outcomes_of, write

if TYPE_CHECKING:
    from tests.commands.conftest import Outcome

    Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on 8-rank-2 and 2-choose-1, and one more in a second table."""
    folder = tmp_path_factory.mktemp("outcomes")
    rng = np.random.default_rng(0)
    minds = latent(rng, 14)
    trials = observe(rng, minds, {"8-rank-2": 20, "2-choose-1": 60})
    good, poor, more = (model(rng, minds, noise) for noise in (0.2, 2.0, 1.0))
    write(folder / "more.parquet", outcomes_of("more", "mse", trials, more))
    return write(
        folder / "outcomes.parquet", outcomes_of("good", "mse", trials, good), outcomes_of("poor", "mse", trials, poor)
    )


FEW = ("--replicates", 100)


def test_the_terminal_gets_a_table_and_standard_error_what_was_read(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, *FEW)
    assert done.code == 0
    assert "Triplet accuracy, all trials: 80 trials, 320 comparisons, chance .500" in done.out
    assert done.out.index("good") < done.out.index("poor")
    assert f"read   {outcomes}" in done.err
    assert max(len(line) for line in done.out.splitlines()) <= 80


def test_standard_output_holds_the_json_and_nothing_else(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--json", "-", *FEW)
    rows = json.loads(done.out)
    assert {(row["model"], row["trial_type"]) for row in rows} == {
        (name, kind) for name in ("good", "poor") for kind in ("all", "8-rank-2", "2-choose-1")
    }


@pytest.mark.parametrize("option", ["--csv", "--markdown", "--html"])
def test_any_text_can_go_to_standard_output(simtool: Run, outcomes: Path, option: str) -> None:
    done = simtool("report", outcomes, option, "-", *FEW)
    starts = {"--csv": "model,distance,", "--markdown": "### ", "--html": "<!doctype html>"}
    assert done.out.startswith(starts[option])
    assert "█" not in done.out


def test_all_files_are_written_beside_the_table(simtool: Run, outcomes: Path, tmp_path: Path) -> None:
    names = {"--figure": "f.svg", "--html": "r.html", "--csv": "r.csv", "--json": "r.json", "--markdown": "r.md"}
    options = [word for option, name in names.items() for word in (option, tmp_path / "new" / name)]
    done = simtool("report", outcomes, *options, *FEW)
    assert done.code == 0
    assert "Triplet accuracy" in done.out
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names.values())
    read = json.loads((tmp_path / "new" / "r.json").read_text())
    lines = list(csv.DictReader(io.StringIO((tmp_path / "new" / "r.csv").read_text())))
    assert [line["estimate"] for line in lines] == [str(row["estimate"]) for row in read]
    assert str(outcomes) in (tmp_path / "new" / "r.html").read_text()


def test_tables_are_pooled(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, outcomes.with_name("more.parquet"), "--json", "-", *FEW)
    assert {row["model"] for row in json.loads(done.out)} == {"good", "poor", "more"}


def test_the_same_model_and_distance_twice_is_refused(simtool: Run, outcomes: Path, tmp_path: Path) -> None:
    done = simtool("report", outcomes, outcomes, "--json", tmp_path / "r.json")
    assert done.code == 1
    assert "good with mse is there twice" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_figure_of_an_unknown_kind_is_wrong_usage_that_lists_the_kinds(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--figure", "figure.gif")
    assert done.code == 2
    assert ".png, .svg, .pdf" in done.err


@pytest.mark.parametrize(
    "options", [("--json", "-", "--csv", "-"), ("--level", "95"), ("--replicates", "10"), ("--metric", "auc")]
)
def test_impossible_options_are_wrong_usage(simtool: Run, outcomes: Path, options: tuple[str, ...]) -> None:
    assert simtool("report", outcomes, *options).code == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--trial-type", "4-rank-2"), "no trial is of type 4-rank-2; there are all, 8-rank-2, 2-choose-1"),
        (("--baseline", "pixels"), "the baseline pixels is not among the models: good, poor"),
        (("--trial-type", "2-choose-1", "--metric", "ordered"), "no trial has ordered"),
    ],
)
def test_what_the_outcomes_do_not_hold_is_named(
    simtool: Run, outcomes: Path, options: tuple[str, ...], reason: str
) -> None:
    done = simtool("report", outcomes, *options, *FEW)
    assert done.code == 1
    assert reason in done.err
    assert done.out == ""


def test_a_missing_table_is_one_line(simtool: Run, tmp_path: Path) -> None:
    done = simtool("report", tmp_path / "none.parquet")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1


def test_one_trial_type_is_reported_alone(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--trial-type", "2-choose-1", "--json", "-", *FEW)
    assert {row["trial_type"] for row in json.loads(done.out)} == {"2-choose-1"}


def test_options_decide_order_level_and_baseline(simtool: Run, outcomes: Path) -> None:
    more = outcomes.with_name("more.parquet")
    options = ("--sort", "given", "--level", "0.9", "--baseline", "more", "--seed", "3")
    done = simtool("report", more, outcomes, *options, *FEW)
    table = done.out[done.out.index("Triplet accuracy, all trials") :]
    assert table.index("more") < table.index("good") < table.index("poor")
    assert "90 % CI" in table
    assert "Difference from more" in table
    assert "(seed 3)" in table


def test_the_seed_makes_reports_repeatable(simtool: Run, outcomes: Path) -> None:
    first, again, other = (
        simtool("report", outcomes, "--json", "-", "--seed", seed, *FEW).out for seed in ("1", "1", "2")
    )
    assert first == again
    assert first != other

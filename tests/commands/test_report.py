"""``simtool report``, as a person at the terminal would run it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.metrics import METRICS
from simtool.tables.embeddings import write_embeddings
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials
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
    rows = _accuracies(done.out)
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
    assert [line["estimate"] for line in lines] == [
        "" if row["estimate"] is None else str(row["estimate"]) for row in read
    ]
    assert str(outcomes) in (tmp_path / "new" / "r.html").read_text()


def test_the_table_is_printed_even_where_a_file_cannot_be_written(simtool: Run, outcomes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = simtool("report", outcomes, "--csv", tmp_path / "file" / "r.csv", *FEW)
    assert done.code == 1
    assert str(tmp_path / "file") in done.err
    assert "Triplet accuracy, all trials: 80 trials" in done.out


def test_tables_are_pooled(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, outcomes.with_name("more.parquet"), "--json", "-", *FEW)
    assert {row["model"] for row in json.loads(done.out)} - {None} == {"good", "poor", "more"}


def test_a_wrong_table_of_images_is_refused_before_the_report(simtool: Run, outcomes: Path, tmp_path: Path) -> None:
    done = simtool("report", outcomes, "--html", tmp_path / "r.html", "--images", outcomes, *FEW)
    assert (done.code, done.out) == (1, "")
    assert "this is a table of outcomes, not of images" in done.err


def test_the_same_model_and_distance_twice_is_refused(simtool: Run, outcomes: Path, tmp_path: Path) -> None:
    done = simtool("report", outcomes, outcomes, "--json", tmp_path / "r.json")
    assert done.code == 1
    assert "good with mse occurs twice" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_column_divides_the_accuracies(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--by", "participant", *FEW)
    assert "Triplet accuracy by participant, all trials" in done.out
    missing = simtool("report", outcomes, "--by", "age", *FEW)
    assert (missing.code, missing.err.count("error:")) == (2, 1)
    assert "--by age: the trials have no such column; they have trial_type" in missing.err


def test_difficulty_is_measured_in_a_table_of_embeddings(simtool: Run, outcomes: Path, tmp_path: Path) -> None:
    trials = read_outcomes([outcomes])[0].trials
    names = [str(name) for name in trials.images]
    vectors = np.random.default_rng(0).normal(size=(len(names), 3))
    space = tmp_path / "space.parquet"
    write_embeddings(space, names, vectors, Provenance.of((), []), name="space")
    done = simtool("report", outcomes, "--difficulty", space, "--html", tmp_path / "r.html", *FEW)
    assert "at equal difficulty (distance ratio in space)" in " ".join(done.out.split())
    assert str(space) in (tmp_path / "r.html").read_text()
    lacking = simtool("report", outcomes, "--difficulty", tmp_path / "none.parquet", *FEW)
    assert (lacking.code, lacking.err.count("error:")) == (1, 1)


def test_a_figure_of_an_unknown_kind_is_wrong_usage_that_lists_the_kinds(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--figure", "figure.gif")
    assert done.code == 2
    assert ".png, .svg, .pdf" in done.err


@pytest.mark.parametrize(
    "options",
    [
        ("--json", "-", "--csv", "-"),
        ("--level", "95"),
        ("--replicates", "10"),
        ("--metric", "auc"),
        ("--cluster", "species"),
        ("--cluster", "class", "--fixed-images"),
    ],
)
def test_impossible_options_are_wrong_usage(simtool: Run, outcomes: Path, options: tuple[str, ...]) -> None:
    assert simtool("report", outcomes, *options).code == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--trial-type", "4-rank-2"), "no trial is of type 4-rank-2; the types are all, 8-rank-2, 2-choose-1"),
        (("--baseline", "pixels"), "the baseline pixels is not among the models: good, poor"),
        (("--baseline", "good:dot"), "the baseline good:dot has no outcomes; the distances of the model: mse"),
        (("--trial-type", "2-choose-1", "--metric", "ordered"), "no trial has ordered"),
        (
            ("--cluster", "group"),
            "--cluster group: the outcomes do not state the groups of their images; score again with --images IMAGES",
        ),
    ],
)
def test_what_the_outcomes_do_not_hold_is_named(
    simtool: Run, outcomes: Path, options: tuple[str, ...], reason: str
) -> None:
    done = simtool("report", outcomes, *options, *FEW)
    assert done.code == 2
    assert reason in done.err
    assert done.out == ""


def test_a_baseline_alone_is_told_that_there_is_nothing_to_compare(simtool: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 14)
    trials = observe(rng, minds, {"2-choose-1": 60})
    alone = write(tmp_path / "alone.parquet", outcomes_of("good", "mse", trials, model(rng, minds, 0.2)))
    done = simtool("report", alone, "--baseline", "good", *FEW)
    assert done.code == 0
    assert "There is no other model to compare with good." in done.out


def test_all_models_are_compared_with_each_other(simtool: Run, outcomes: Path) -> None:
    table = simtool("report", outcomes, outcomes.with_name("more.parquet"), "--compare", *FEW)
    assert "Triplet accuracy, all trials: differences" in table.out
    assert max(len(line) for line in table.out.splitlines()) <= 80
    options = ("--compare", "--json", "-", *FEW)
    rows = json.loads(simtool("report", outcomes, outcomes.with_name("more.parquet"), *options).out)
    pairs = [
        {row["model"], row["baseline_model"]}
        for row in rows
        if row["metric"] == "difference" and row["trial_type"] == "all"
    ]
    assert sorted(map(sorted, pairs)) == [["good", "more"], ["good", "poor"], ["more", "poor"]]


def test_fixed_images_make_narrower_intervals_and_the_report_says_for_which_images(
    simtool: Run, outcomes: Path
) -> None:
    usual, fixed = (
        [row for row in json.loads(simtool("report", outcomes, "--json", "-", *options, *FEW).out) if row["scope"]]
        for options in ((), ("--fixed-images",))
    )
    widths = [[row["high"] - row["low"] for row in rows if row["trial_type"] == "all"] for rows in (usual, fixed)]
    assert widths[1] < widths[0]
    assert {row["scope"] for row in fixed} == {"new participants and these very images"}
    assert "new participants and these very images" in " ".join(
        simtool("report", outcomes, "--fixed-images", *FEW).out.split()
    )


def test_the_column_of_differences_names_the_baseline(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--baseline", "poor", "--markdown", "-", *FEW)
    assert "minus poor" in done.out


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


@pytest.mark.parametrize("option", ["--sort", "--metric"])
def test_an_unknown_name_is_refused_with_the_names_to_choose_from(simtool: Run, outcomes: Path, option: str) -> None:
    done = simtool("report", outcomes, option, "size")
    assert done.code == 2
    assert done.err.startswith(f"error: {option} is one of ")
    assert done.err.endswith(", not size\n")


def test_the_seed_makes_reports_repeatable(simtool: Run, outcomes: Path) -> None:
    first, again, other = (
        simtool("report", outcomes, "--json", "-", "--seed", seed, *FEW).out for seed in ("1", "1", "2")
    )
    assert first == again
    assert first != other


def _experiment(folder: Path, name: str, seed: int, order: NDArray[np.intp] | None = None) -> Path:
    """One model on 60 judgments of an experiment, in some order."""
    rng = np.random.default_rng(0)
    minds = latent(rng, 14)
    known = model(rng, minds, 0.5)
    trials = observe(np.random.default_rng(seed), minds, {"2-choose-1": 60}, weight=np.arange(60) % 3 + 1.0)
    trials = trials if order is None else trials.take(order)
    return write(folder / f"{name}-{seed}.parquet", outcomes_of(name, "mse", trials, known))


def test_a_model_on_two_experiments_has_one_row(simtool: Run, tmp_path: Path) -> None:
    tables = [_experiment(tmp_path, "m", seed) for seed in (1, 2)]
    (pooled,) = (row for row in _rows(simtool, *tables) if row["trial_type"] == "all")
    apart = [next(row for row in _rows(simtool, table) if row["trial_type"] == "all") for table in tables]
    assert pooled["trials"] == 120
    assert pooled["estimate"] == pytest.approx(sum(row["estimate"] for row in apart) / 2)


def test_judgments_in_another_order_are_one_sample(simtool: Run, tmp_path: Path) -> None:
    straight = _experiment(tmp_path, "a", 1)
    moved = _experiment(tmp_path, "b", 1, np.random.default_rng(3).permutation(60))
    rows = {row["model"]: row for row in _rows(simtool, straight, moved, "--baseline", "a")}
    assert rows["b"]["estimate"] == rows["a"]["estimate"]
    assert (rows["b"]["low"], rows["b"]["high"]) == (rows["a"]["low"], rows["a"]["high"])
    assert rows["b"]["difference"] == 0
    assert rows["b"]["p_value"] is None
    assert "not comparable" not in simtool("report", straight, moved, *FEW).out


def test_weights_are_used_when_asked_for(simtool: Run, tmp_path: Path) -> None:
    table = _experiment(tmp_path, "m", 1)
    plain, weighted = (
        next(row for row in _rows(simtool, table, *options) if row["trial_type"] == "all")
        for options in ((), ("--weighted",))
    )
    assert (plain["weighted"], weighted["weighted"]) == (False, True)
    assert plain["trials"] == weighted["trials"] == 60
    assert plain["estimate"] != weighted["estimate"]
    assert "--weighted uses the weights" in " ".join(simtool("report", table, *FEW).out.split())
    assert "Each trial counts by its weight" in " ".join(simtool("report", table, "--weighted", *FEW).out.split())


def test_weights_that_are_missing_are_one_line(simtool: Run, outcomes: Path) -> None:
    done = simtool("report", outcomes, "--weighted", *FEW)
    assert done.code == 1
    assert "80 of 80 trials have no weight (trial_id 0, 1, 2 and 77 more)" in done.err
    assert done.out == ""


@pytest.mark.parametrize("level", ["0.01", "0.9999", "0.999999"])
def test_extreme_levels_give_intervals(simtool: Run, outcomes: Path, level: str) -> None:
    done = simtool("report", outcomes, "--level", level, "--baseline", "good", "--json", "-", *FEW)
    assert all(0 <= row["low"] <= row["estimate"] <= row["high"] <= 1 for row in _accuracies(done.out))


@pytest.mark.parametrize("level", ["0", "1", "nan", "-0.5", "1e-300", "0.99999999"])
def test_levels_that_are_none_are_wrong_usage(simtool: Run, outcomes: Path, level: str) -> None:
    assert simtool("report", outcomes, "--level", level).code == 2


def _few(name: str) -> tuple[Trials, NDArray[np.float32]]:
    """Trials that say next to nothing, and a model's credits on them."""
    count = 1 if name == "one trial" else 12
    images = 3 if name == "one display" else 9
    rng = np.random.default_rng(4)
    shown = np.array([rng.permutation(images)[:3] for _ in range(count)]) if images > 3 else np.tile([0, 1, 2], (12, 1))
    credit = {"all ties": np.full(count, 0.5), "all right": np.ones(count)}.get(name, rng.integers(0, 2, count))
    who = {"one person": ["p"] * count, "two people": ["p", "q"] * 6}.get(name)
    when = {"two sessions": ["s", "t"] * 6}.get(name)
    trials = Trials.build(
        [f"image-{at}" for at in range(images)],
        ["2-choose-1"] * count,
        shown[:, 0],
        shown[:, 1:],
        rng.integers(0, 2, (count, 1)),
        participant=who,
        session=when,
    )
    return trials, credit.astype(np.float32)


@pytest.mark.parametrize(
    "name",
    ["one trial", "one display", "all ties", "all right", "one person", "two people", "two sessions"],
)
@pytest.mark.filterwarnings("error")
def test_next_to_nothing_is_reported_in_every_format(simtool: Run, tmp_path: Path, name: str) -> None:
    trials, credit = _few(name)
    pair = [Outcomes(label, "mse", trials, values) for label, values in (("m", credit), ("other", 1 - credit))]
    table = write(tmp_path / "few.parquet", *pair)
    files = [tmp_path / f"r.{end}" for end in ("json", "csv", "md", "html", "png", "svg", "pdf")]
    options = [
        word
        for option, at in (("--json", 0), ("--csv", 1), ("--markdown", 2), ("--html", 3))
        for word in (option, files[at])
    ]
    for figure in files[4:]:
        done = simtool("report", table, "--figure", figure, "--baseline", "m", *options, *FEW)
        assert done.code == 0, done.err
    assert all(path.stat().st_size for path in files)
    for row in _accuracies(files[0].read_text()):
        assert 0 <= row["low"] <= row["estimate"] <= row["high"] <= 1
        if name == "all ties":
            assert row["low"] == row["high"] == 0.5
        else:
            assert row["high"] - row["low"] > 0.1
        if row["model"] == "other" and name in ("one trial", "all right", "all ties"):
            assert (row["difference_low"], row["p_value"], row["p_holm"]) == (None, None, None)
            assert "too few to test" in done.out
    assert ("because the sample is small" in " ".join(done.out.split())) == (
        name in ("one trial", "one display", "two people", "two sessions")
    )


def _rows(simtool: Run, *arguments: object) -> list[dict[str, Any]]:
    rows = _accuracies(simtool("report", *arguments, "--json", "-", *FEW).out)
    return [row for row in rows if row["metric"] == "triplet_accuracy"]


def _accuracies(text: str) -> list[dict[str, Any]]:
    """The objects of a JSON file that are rows of the report."""
    return [row for row in json.loads(text) if row["metric"] in METRICS]

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.scoring.columns import SpooledColumns, least_memory
from simtool.scoring.distances import DISTANCES
from simtool.scoring.plan import Plan
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs, write_distances
from simtool.tables.embeddings import Segment, write_embeddings
from simtool.tables.images import Images, write_images
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, write_trials
from tests.commands.conftest import Outcome
from tests.scoring.judged import some_trials, some_vectors

PROVENANCE = Provenance.of(["test"], [])
TRIALS = some_trials(40)
Simtool = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_trials(tmp_path / "trials.parquet", TRIALS, PROVENANCE)
    segments = (Segment("pixels", 3, 8),)
    write_embeddings(
        tmp_path / "pixels.parquet", TRIALS.images, some_vectors("gaussian"), PROVENANCE, "pixels", segments
    )
    write_embeddings(tmp_path / "hot.parquet", TRIALS.images, some_vectors("one-hot"), PROVENANCE, "one-hot")
    return tmp_path


def score(simtool: Simtool, folder: Path, *arguments: object) -> Outcome:
    return simtool("score", *arguments, "--trials", folder / "trials.parquet", "--out", folder / "outcomes.parquet")


def test_outcomes_hold_every_table_by_both_distances(simtool: Simtool, folder: Path) -> None:
    done = score(simtool, folder, folder / "pixels.parquet", folder / "hot.parquet")
    assert done.code == 0, done.err
    found = read_outcomes([folder / "outcomes.parquet"])
    assert [(one.model, one.distance) for one in found] == [
        ("pixels", "mse"),
        ("pixels", "cosine"),
        ("one-hot", "mse"),
        ("one-hot", "cosine"),
    ]
    assert all(one.trials is found[0].trials for one in found)
    assert all(one.log_likelihood is None for one in found)
    np.testing.assert_array_equal(found[0].trials.trial_id, TRIALS.trial_id)


def test_the_help_lists_every_distance(simtool: Simtool) -> None:
    *names, last = DISTANCES
    assert f"{', '.join(names)} or {last};" in " ".join(simtool("score", "--help").out.split())


def test_the_table_at_the_end_counts_comparisons_and_ties(simtool: Simtool, folder: Path) -> None:
    done = score(simtool, folder, folder / "hot.parquet", "--distance", "mse")
    (outcomes,) = read_outcomes([folder / "outcomes.parquet"])
    credit = outcomes.credit
    words = done.out.splitlines()[-1].split()
    assert words == ["all", f"{credit.mean():.4f}", str(credit.size), str((credit == 0.5).sum())]
    assert done.out.splitlines()[0].split() == [
        "model",
        "distance",
        "trials",
        "accuracy",
        "comparisons",
        "ties",
    ]
    plain = score(simtool, folder, folder / "pixels.parquet", "--distance", "mse")
    assert plain.out.splitlines()[0].split()[-1] == "comparisons"


def test_asked_distances_are_computed_once_each_in_their_order(simtool: Simtool, folder: Path) -> None:
    wanted = ["cosine/segments", "dot", "cosine/segments"]
    done = score(
        simtool, folder, folder / "pixels.parquet", *(word for name in wanted for word in ("--distance", name))
    )
    assert done.code == 0, done.err
    assert [one.distance for one in read_outcomes([folder / "outcomes.parquet"])] == ["cosine/segments", "dot"]


def test_trials_of_numbers_are_scored_by_the_names_of_a_list(simtool: Simtool, folder: Path) -> None:
    names = [str(name) for name in TRIALS.images]
    (folder / "names.txt").write_text("\n".join(names))
    plain = score(simtool, folder, folder / "hot.parquet")
    numbered = replace(TRIALS, images=np.array([str(row) for row in range(40)], object))
    write_trials(folder / "trials.parquet", numbered, PROVENANCE)
    done = score(simtool, folder, folder / "hot.parquet", "--images", folder / "names.txt")
    assert done.code == 0, done.err
    assert done.out == plain.out
    (found, _) = read_outcomes([folder / "outcomes.parquet"])
    assert sorted(found.trials.images) == sorted(TRIALS.images)
    (folder / "names.txt").write_text("\n".join(names[:38]))
    done = score(simtool, folder, folder / "hot.parquet", "--images", folder / "names.txt")
    assert done.code == 1
    assert "names.txt: lacks images that are needed (2 of 40): 39, 38; its ids are 0, 1, 2 and 35 more\n" in done.err


def test_images_add_the_classes_and_groups_of_what_was_shown(simtool: Simtool, folder: Path) -> None:
    names = [str(name) for name in TRIALS.images]
    images = Images.build(names, names, class_name=["wren"] * 20 + ["owl"] * 20, group_name=["bird"] * 40)
    write_images(folder / "images.parquet", images, PROVENANCE)
    done = score(simtool, folder, folder / "hot.parquet", "--images", folder / "images.parquet")
    assert done.code == 0, done.err
    trials = read_outcomes([folder / "outcomes.parquet"])[0].trials
    extra = {name: column.to_pylist() for name, column in trials.extra.items()}
    class_of = dict(zip(names, images.class_name, strict=True))
    shown = [[trials.images[at] for at in row if at >= 0] for row in trials.references]
    assert extra["query_class"] == [class_of[trials.images[at]] for at in trials.query]
    assert extra["reference_classes"] == [[class_of[name] for name in row] for row in shown]
    assert set(extra["query_group"]) == {"bird"}
    assert extra["reference_groups"] == [["bird"] * len(row) for row in shown]


def test_provenance_names_what_was_read(simtool: Simtool, folder: Path) -> None:
    score(simtool, folder, folder / "hot.parquet")
    shown = simtool("show", folder / "outcomes.parquet").out
    assert "trials.parquet: unchanged" in shown
    assert "hot.parquet: unchanged" in shown


def test_tables_of_the_same_name_are_told_apart_by_their_files(simtool: Simtool, folder: Path) -> None:
    (folder / "again.parquet").write_bytes((folder / "hot.parquet").read_bytes())
    done = score(simtool, folder, folder / "hot.parquet", folder / "again.parquet", "--distance", "mse")
    assert done.code == 0, done.err
    found = [one.model for one in read_outcomes([folder / "outcomes.parquet"])]
    assert found == ["one-hot (hot)", "one-hot (again)"]


def test_the_same_table_twice_is_refused(simtool: Simtool, folder: Path) -> None:
    (folder / "link.parquet").symlink_to(folder / "hot.parquet")
    for again in (folder / "hot.parquet", folder / "link.parquet"):
        done = score(simtool, folder, folder / "hot.parquet", again)
        assert done.code == 1
        assert "hot.parquet" in done.err
        assert "the same table is given more than once" in " ".join(done.err.split())
        assert not (folder / "outcomes.parquet").exists()


def test_models_can_be_named(simtool: Simtool, folder: Path) -> None:
    tables = (folder / "pixels.parquet", folder / "hot.parquet")
    done = score(simtool, folder, *tables, "--distance", "mse", "--name", "first", "--name", "second [b]")
    assert done.code == 0, done.err
    assert [one.model for one in read_outcomes([folder / "outcomes.parquet"])] == ["first", "second [b]"]


def test_a_name_that_would_act_on_the_terminal_is_shown_in_full_in_one_row(simtool: Simtool, folder: Path) -> None:
    name = "\t=1\n\x1b[31mred"
    done = score(simtool, folder, folder / "hot.parquet", "--distance", "mse", "--name", name)
    assert done.out.splitlines()[1].split()[:2] == ["\\t=1\\n\\x1b[31mred", "mse"]


def test_columns_of_trials_that_should_perhaps_be_used_are_named(simtool: Simtool, folder: Path) -> None:
    plain = pq.read_table(folder / "trials.parquet")
    other = pa.table({"particpant": ["P1"] * len(plain), "count": [2] * len(plain), "age": [30] * len(plain)})
    columns = [*zip(plain.column_names, plain.columns, strict=True), *zip(other.column_names, other, strict=True)]
    pq.write_table(pa.table(dict(columns)), folder / "trials.parquet")
    done = score(simtool, folder, folder / "hot.parquet")
    (warning,) = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert warning == (
        f"warning: {folder / 'trials.parquet'}: columns kept, but not used: particpant (did you mean participant?), "
        "count (a row is one judgment here; import-trials reads counts from a CSV)"
    )


def test_tables_that_cannot_be_told_apart_ask_for_a_name(simtool: Simtool, folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "hot.parquet").write_bytes((folder / "hot.parquet").read_bytes())
    tables = (folder / "hot.parquet", folder / "other" / "hot.parquet")
    done = score(simtool, folder, *tables)
    assert done.code == 1
    assert "would all be called one-hot (hot): give each TABLE a different --name" in " ".join(done.err.split())
    assert score(simtool, folder, *tables, "--name", "one", "--name", "two").code == 0


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["one"], "give one --name for each TABLE, not 1 for 2"),
        (["one", "one"], "--name 'one': give each model a different name"),
        (["one", " "], "give each model a different name"),
    ],
)
def test_names_that_do_not_fit_are_refused(names: list[str], complaint: str, simtool: Simtool, folder: Path) -> None:
    words = (word for name in names for word in ("--name", name))
    done = score(simtool, folder, folder / "pixels.parquet", folder / "hot.parquet", *words)
    assert done.code == 2
    assert complaint in " ".join(done.err.split())


def test_a_model_that_is_wrong_nearly_always_raises_the_question_of_the_odd_one_out(
    simtool: Simtool, folder: Path
) -> None:
    vectors = some_vectors("gaussian")
    near = [np.linalg.norm(vectors[TRIALS.references[:, place]] - vectors[TRIALS.query], axis=1) for place in (0, 1)]
    farther = np.argmax(near, axis=0)[:, None]
    odd = Trials.build(TRIALS.images, ["2-choose-1"] * 40, TRIALS.query, TRIALS.references[:, :2], farther)
    write_trials(folder / "trials.parquet", odd, PROVENANCE)
    done = score(simtool, folder, folder / "pixels.parquet", folder / "hot.parquet", "--distance", "mse")
    assert done.code == 0
    said = " ".join(done.err.split())
    assert said.count("warning:") == 1
    assert "pixels by mse predicts 0% of 40 comparisons" in said
    assert "odd one out" in said


def test_a_table_that_duckdb_wrote_is_scored(simtool: Simtool, folder: Path) -> None:
    source, copy = folder / "hot.parquet", folder / "copy.parquet"
    duckdb.read_parquet(str(source)).order("image_id").select("embedding", "image_id").write_parquet(str(copy))
    done = score(simtool, folder, source, copy, "--distance", "mse")
    assert done.code == 0, done.err
    original, rewritten = read_outcomes([folder / "outcomes.parquet"])
    assert rewritten.model == "copy"
    np.testing.assert_array_equal(original.credit, rewritten.credit)


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--distance", "l2"], 2, "no distance is called l2"),
        (["--distance", "mse/segments"], 1, "hot.parquet: mse/segments needs a table that names its segments"),
        (["--images", "none.parquet"], 1, "none.parquet: no such file"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(
    options: list[str], code: int, complaint: str, simtool: Simtool, folder: Path
) -> None:
    done = score(simtool, folder, folder / "hot.parquet", *options)
    assert done.code == code
    assert complaint in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert sorted(path.name for path in folder.iterdir()) == ["hot.parquet", "pixels.parquet", "trials.parquet"]


def test_a_limit_of_memory_changes_no_outcome(simtool: Simtool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert score(simtool, folder, folder / "pixels.parquet").code == 0
    held = read_outcomes([folder / "outcomes.parquet"])
    monkeypatch.setattr("simtool.scoring.columns._READING", 0)
    monkeypatch.setattr("simtool.scoring.scoring.used_memory", lambda: 0)
    spooled: list[int] = []
    close = SpooledColumns.close

    def noted(columns: SpooledColumns) -> None:
        spooled.append(columns.count)
        close(columns)

    monkeypatch.setattr(SpooledColumns, "close", noted)
    least = Plan.of(TRIALS).footprint(2) + least_memory(40)
    done = score(simtool, folder, folder / "pixels.parquet", "--memory", f"{least}B")
    assert done.code == 0, done.err
    assert spooled == [40]
    for one, other in zip(held, read_outcomes([folder / "outcomes.parquet"]), strict=True):
        np.testing.assert_array_equal(one.credit, other.credit)


@pytest.mark.parametrize(
    ("amount", "code", "complaint"),
    [
        ("1M", 1, "--memory is too little with 1 MB"),
        ("lots", 2, "--memory: 'lots' is not an amount of memory; write for example 500M or 2G"),
    ],
)
def test_memory_that_does_not_do_is_answered_with_what_would(
    amount: str, code: int, complaint: str, simtool: Simtool, folder: Path
) -> None:
    done = score(simtool, folder, folder / "hot.parquet", "--memory", amount)
    assert done.code == code
    assert complaint in " ".join(done.err.split())
    assert not (folder / "outcomes.parquet").exists()


@pytest.mark.parametrize("more", [(), ("--images", "images.parquet")], ids=["", "images"])
def test_impossible_trials_are_refused_and_nothing_is_written(
    more: tuple[str, ...], simtool: Simtool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    names = [str(name) for name in TRIALS.images]
    write_images(Path("images.parquet"), Images.build(names, names), PROVENANCE)
    table = pq.read_table("trials.parquet")
    twice = pa.array([[row[0]] * len(row) for row in table["references"].to_pylist()])
    pq.write_table(table.set_column(table.column_names.index("references"), "references", twice), "trials.parquet")
    failed = score(simtool, folder, "hot.parquet", *more)
    assert failed.code == 1
    assert "trials.parquet: trial_id 0 (and 39 more) shows a reference twice" in " ".join(failed.err.split())
    assert not Path("outcomes.parquet").exists()


def test_missing_images_are_found_before_anything_is_computed(simtool: Simtool, folder: Path) -> None:
    write_embeddings(folder / "few.parquet", TRIALS.images[:30], some_vectors("relu", count=30), PROVENANCE, "few")
    done = score(simtool, folder, folder / "hot.parquet", folder / "few.parquet")
    assert done.code == 1
    assert "few.parquet: lacks images that are needed (10 of 40): image 3" in done.err
    assert not (folder / "outcomes.parquet").exists()


def test_an_older_table_survives_a_failure(simtool: Simtool, folder: Path) -> None:
    score(simtool, folder, folder / "hot.parquet")
    before = (folder / "outcomes.parquet").read_bytes()
    vectors = some_vectors("gaussian")
    vectors[4] = 0
    write_embeddings(folder / "bad.parquet", TRIALS.images, vectors, PROVENANCE, "bad")
    assert score(simtool, folder, folder / "hot.parquet", folder / "bad.parquet").code == 1
    assert (folder / "outcomes.parquet").read_bytes() == before


def test_trials_of_one_query_suffice(simtool: Simtool, tmp_path: Path) -> None:
    trials = Trials.build(["a", "b", "c"], ["2-choose-1"], np.array([0]), np.array([[1, 2]]), np.array([[1]]))
    write_trials(tmp_path / "trials.parquet", trials, PROVENANCE)
    vectors = np.array([[0, 1], [0, 2], [0, 4]], np.float32)
    write_embeddings(tmp_path / "line.parquet", trials.images, vectors, PROVENANCE, "line")
    assert score(simtool, tmp_path, tmp_path / "line.parquet").code == 0
    mse, cosine = read_outcomes([tmp_path / "outcomes.parquet"])
    assert (mse.credit[0], cosine.credit[0]) == (0, 0.5)


def test_ids_that_are_spelled_otherwise_are_matched_and_noted(simtool: Simtool, folder: Path) -> None:
    spelled = [f"photos\\{name.title()}.JPG" for name in TRIALS.images]
    write_embeddings(folder / "spelled.parquet", spelled, some_vectors("gaussian"), PROVENANCE, "spelled")
    done = score(simtool, folder, folder / "pixels.parquet", folder / "spelled.parquet", "--distance", "mse")
    assert done.code == 0, done.err
    assert done.err.count("by spelling") == 1
    assert "spelled.parquet: matched 40 of 40 images by spelling (separators, case, extension, folders)" in done.err
    plain, folded = read_outcomes([folder / "outcomes.parquet"])
    np.testing.assert_array_equal(plain.credit, folded.credit)


def test_a_condition_of_a_csv_reaches_the_outcomes(simtool: Simtool, folder: Path) -> None:
    a, b, c = TRIALS.images[:3]
    rows = ["query,reference_1,reference_2,selected_1,condition,age,count"]
    rows += [f"{a},{b},{c},{b},upright,31,2", f"{c},{a},{b},{b},inverted,27,1"]
    (folder / "t.csv").write_text("\n".join(rows))
    imported = simtool("import-trials", folder / "t.csv", "--out", folder / "trials.parquet", "--observers", "human")
    assert imported.code == 0, imported.err
    assert score(simtool, folder, folder / "pixels.parquet", "--distance", "mse").code == 0
    found = duckdb.read_parquet(str(folder / "outcomes.parquet")).select("trial_id, condition, age").order("trial_id")
    assert found.fetchall() == [(0, "upright", 31), (1, "inverted", 27), (2, "upright", 31)]
    shown = simtool("show", folder / "outcomes.parquet").out
    assert "condition (string), age (int64)" in shown
    assert "human" in shown


@pytest.fixture
def pairs(folder: Path) -> Path:
    """A table of all Manhattan distances of the vectors in ``hot.parquet``."""
    vectors = some_vectors("one-hot").astype(float)
    first, second = (each.astype(np.int32) for each in np.triu_indices(len(vectors), 1))
    values = Pairs(TRIALS.images, first, second, abs(vectors[first] - vectors[second]).sum(axis=1))
    write_distances(folder / "pairs.parquet", DistanceTable.of(values, DistanceInfo("pairs")), PROVENANCE)
    return folder / "pairs.parquet"


def test_a_table_of_distances_is_scored_as_it_is_beside_embeddings(simtool: Simtool, folder: Path, pairs: Path) -> None:
    done = score(simtool, folder, pairs, folder / "hot.parquet", "--distance", "manhattan")
    assert done.code == 0, done.err
    given, measured = read_outcomes([folder / "outcomes.parquet"])
    assert [(one.model, one.distance) for one in (given, measured)] == [("pairs", "given"), ("one-hot", "manhattan")]
    np.testing.assert_array_equal(given.credit, measured.credit)
    assert "distances of 780 pairs of 40 images (pairs)" in done.err
    assert "pairs and one-hot by" not in done.err
    shown = simtool("show", folder / "outcomes.parquet").out
    assert "pairs.parquet: unchanged" in shown
    report = simtool("report", folder / "outcomes.parquet", "--replicates", "100", "--figure", folder / "figure.png")
    assert report.code == 0, report.err
    assert "given" in report.out
    assert (folder / "figure.png").exists()


@pytest.mark.parametrize(
    ("tables", "distances", "complaint"),
    [
        (["pairs"], ["cosine"], "--distance cosine is for vectors; {pairs} holds distances, which are scored as given"),
        (["hot"], ["given"], "--distance given is for tables of distances; {hot} holds vectors: add another distance"),
        (["pairs", "hot"], ["given"], "--distance given is for tables of distances; {hot} holds vectors"),
        (["pairs"], ["nearest"], "no distance is called nearest; choose from mse, cosine, "),
    ],
)
def test_a_distance_that_does_not_apply_is_refused(
    tables: list[str], distances: list[str], complaint: str, simtool: Simtool, folder: Path, pairs: Path
) -> None:
    places = {name: folder / f"{name}.parquet" for name in ("pairs", "hot")}
    words = [word for name in distances for word in ("--distance", name)]
    done = score(simtool, folder, *(places[name] for name in tables), *words)
    assert done.code == 2
    assert complaint.format_map(places) in " ".join(done.err.split())
    assert not (folder / "outcomes.parquet").exists()


def test_a_table_of_distances_is_no_table_of_embeddings(simtool: Simtool, folder: Path, pairs: Path) -> None:
    done = simtool("compress", pairs, "--out", folder / "out.parquet")
    assert done.code == 1
    assert "this is a table of distances, not of embeddings; simtool score and export-distances take it" in done.err

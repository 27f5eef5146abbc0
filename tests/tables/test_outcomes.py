from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tables import files
from simtool.tables.description import describe_table
from simtool.tables.files import TableError, metadata_of
from simtool.tables.observers import Observers
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, judgment_columns

NAN = np.nan
#: Of the comparisons of the three trials of the fixture.
CHANCES = np.array([0.9, 0.5, 0.25, 1, 0, 0.125, 0.75], np.float32)


def outcomes_of(trials: Trials, model: str = "pixels", distance: str = "mse", **changes: Any) -> Outcomes:
    """Outcomes of the three trials of the fixture: of 3, 1 and 3 comparisons."""
    columns: dict[str, Any] = {"credit": np.array([1, 0.5, 0, 1, 0, 0, 1], np.float32), **changes}
    return Outcomes(model, distance, trials, **columns)


def write(path: Path, provenance: Provenance, *entries: Outcomes) -> Path:
    write_outcomes(path, entries[0].trials, entries, provenance)
    return path


def test_round_trip(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    written = outcomes_of(trials, log_likelihood=np.array([-1, -2, -3], np.float32), probability=CHANCES)
    (read,) = read_outcomes([write(tmp_path / "o.parquet", provenance, written)])
    for name in ("model", "distance", "credit", "log_likelihood", "probability"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    np.testing.assert_array_equal(read.trials.images[read.trials.query], trials.images[trials.query])
    np.testing.assert_array_equal(read.trials.weight, trials.weight)


def test_the_schema_is_the_contracts(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    scored = outcomes_of(trials, log_likelihood=np.array([-1, -2, -3], np.float32), probability=CHANCES)
    schema = pq.read_schema(write(tmp_path / "o.parquet", provenance, scored, outcomes_of(trials, "PCA, 10")))
    assert {field.name: str(field.type) for field in schema} == {
        "trial_id": "int64",
        **dict.fromkeys(("trial_type", "participant", "session", "query"), "string"),
        "references": "list<element: string>",
        "selected": "list<element: int8>",
        **dict.fromkeys(("weight", "response_ms", "log_likelihood: pixels, mse"), "float"),
        **dict.fromkeys(
            ("credit: pixels, mse", "probability: pixels, mse", "credit: PCA, 10, mse"), "list<element: float>"
        ),
    }
    metadata = metadata_of(schema)
    assert (metadata["table"], metadata["version"]) == ("outcomes", 2)
    assert metadata["credit"] == [
        {"column": "credit: pixels, mse", "model": "pixels", "distance": "mse"},
        {"column": "credit: PCA, 10, mse", "model": "PCA, 10", "distance": "mse"},
    ]


def test_a_trial_has_one_row_whatever_the_number_of_models(
    tmp_path: Path, trials: Trials, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_GROUP_ROWS", 2)
    entries = [outcomes_of(trials, f"model {number}") for number in range(3)]
    path = write(tmp_path / "o.parquet", provenance, *entries)
    assert (pq.read_metadata(path).num_rows, pq.read_metadata(path).num_row_groups) == (3, 2)
    for read, written in zip(read_outcomes([path]), entries, strict=True):
        assert read.model == written.model
        np.testing.assert_array_equal(read.credit, written.credit)


def test_ids_are_dictionary_encoded_on_disk(tmp_path: Path, provenance: Provenance) -> None:
    names = [f"{number:05}".rjust(200, "x") for number in range(8_000)]  # 1.6 MB of distinct ids
    query, others = np.arange(8_000), np.stack([np.roll(np.arange(8_000), shift) for shift in (1, 2)], axis=1)
    trials = Trials.build(names, ["2-choose-1"] * 8_000, query, others, np.zeros((8_000, 1), int))
    path = write(tmp_path / "o.parquet", provenance, Outcomes("m", "mse", trials, np.ones(8_000, np.float32)))
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunks = {group.column(at).path_in_schema: group.column(at) for at in range(group.num_columns)}
    assert chunks["references.list.element"].total_uncompressed_size < 1.2 * 200 * 8_000


@pytest.mark.parametrize("halves", [True, False], ids=["halves", "fractions"])
def test_a_model_may_be_scored_on_some_of_the_trials(
    tmp_path: Path, trials: Trials, provenance: Provenance, halves: bool
) -> None:
    scored = outcomes_of(trials) if halves else outcomes_of(trials, credit=np.arange(7, dtype=np.float32) / 6)
    scores = np.array([-1, -2, -3], np.float32)
    some = outcomes_of(trials, "some", log_likelihood=scores, probability=CHANCES).take(np.array([2, 0]))
    path = write(tmp_path / "o.parquet", provenance, scored, some, replace(some, model="other"))
    assert pq.read_table(path).column("credit: some, mse").to_pylist() == [[1, 0.5, 0], None, [0, 0, 1]]
    whole, part, other = read_outcomes([path])
    assert part.trials is other.trials
    np.testing.assert_array_equal(whole.credit, scored.credit)
    np.testing.assert_array_equal(part.trials.trial_id, [0, 2])
    np.testing.assert_array_equal(part.credit, [1, 0.5, 0, 0, 0, 1])
    np.testing.assert_array_equal(part.log_likelihood, [-1, -3])
    np.testing.assert_array_equal(part.probability, CHANCES[[0, 1, 2, 4, 5, 6]])


def test_outcomes_of_other_trials_are_refused(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    other = outcomes_of(replace(trials, trial_id=np.array([0, 1, 7])))
    with pytest.raises(ValueError, match="outcomes of trials that are not in the table"):
        write_outcomes(tmp_path / "o.parquet", trials, [other], provenance)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "names",
    [
        [("a, b", "c"), ("a", "b, c")],
        [("Pixels", "mse"), ("pixels", "mse")],
        [("two\nlines \u202e", "mse"), ('quote " and \x00', "mse")],
        [("x" * 3000, "mse"), ("é☃", "cosine")],
    ],
)
def test_models_and_distances_of_any_name_are_told_apart(
    tmp_path: Path, trials: Trials, provenance: Provenance, names: list[tuple[str, str]]
) -> None:
    path = write(tmp_path / "o.parquet", provenance, *(outcomes_of(trials, *name) for name in names))
    assert [(entry.model, entry.distance) for entry in read_outcomes([path])] == names
    columns = [name for name in pq.read_schema(path).names if name.startswith("credit: ")]
    assert len({name.casefold() for name in columns}) == len(names)


@pytest.mark.parametrize("writer", ["pandas", "polars", "duckdb"])
def test_tables_that_other_programs_wrote_again_are_told_by_their_columns(
    tmp_path: Path, trials: Trials, provenance: Provenance, writer: str
) -> None:
    scored = outcomes_of(trials, "PCA, 10", log_likelihood=np.array([-1, -2, -3], np.float32))
    path, again = write(tmp_path / "o.parquet", provenance, scored), tmp_path / "again.parquet"
    if writer == "pandas":
        pd.read_parquet(path).to_parquet(again)
    elif writer == "polars":
        pl.read_parquet(path).write_parquet(again)
    else:
        duckdb.read_parquet(str(path)).write_parquet(str(again))
    (read,) = read_outcomes([again])
    assert (read.model, read.distance) == ("PCA, 10", "mse")
    np.testing.assert_array_equal(read.credit, scored.credit)
    np.testing.assert_array_equal(read.log_likelihood, scored.log_likelihood)
    assert describe_table(again).kind == "outcomes"


def test_a_column_of_credit_without_a_distance_is_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    frame = pd.read_parquet(write(tmp_path / "o.parquet", provenance, outcomes_of(trials)))
    frame.rename(columns={"credit: pixels, mse": "credit: pixels"}).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(
        TableError, match=r"o.parquet: column 'credit: pixels' should be called credit: MODEL, DISTANCE"
    ):
        read_outcomes([tmp_path / "o.parquet"])


@pytest.mark.parametrize(("name", "value"), [("model", "pixelz"), ("distance", "msd")])
def test_metadata_that_contradict_a_column_of_credit_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, name: str, value: str
) -> None:
    path = write(tmp_path / "o.parquet", provenance, outcomes_of(trials))
    table = pq.read_table(path)
    stated = metadata_of(table.schema)
    stated["credit"][0][name] = value
    pq.write_table(table.replace_schema_metadata({"simtool": json.dumps(stated)}), path)
    with pytest.raises(TableError, match=f"o.parquet: column 'credit: pixels, mse' is of .*{value}.* by the metadata"):
        read_outcomes([path])


def test_a_folder_of_both_versions_is_refused(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    write(tmp_path / "new.parquet", provenance, outcomes_of(trials))
    version_1(outcomes_of(trials, "old")).to_parquet(tmp_path / "old.parquet")
    with pytest.raises(TableError, match=r"old.parquet is of version 1 of outcomes and others are not"):
        read_outcomes([tmp_path])


def test_a_column_of_trials_in_memory_never_takes_the_name_of_an_own_column(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    names = ["query", "credit: pixels, mse", "log_likelihood: pixels, mse"]
    kept = replace(trials, extra={name: pa.array(range(len(trials))) for name in names})
    (read,) = read_outcomes([write(tmp_path / "o.parquet", provenance, outcomes_of(kept))])
    assert list(read.trials.extra) == [f"source_{name}" for name in names]
    np.testing.assert_array_equal(read.trials.images[read.trials.query], trials.images[trials.query])


def test_a_table_without_credit_is_refused(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    frame = pd.read_parquet(write(tmp_path / "o.parquet", provenance, outcomes_of(trials)))
    frame.drop(columns=["credit: pixels, mse", "references"]).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(TableError, match=r"needs column credit: MODEL, DISTANCE; found trial_id, "):
        read_outcomes([tmp_path / "o.parquet"])


def test_a_table_whose_credit_is_null_everywhere_is_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    table = pq.read_table(write(tmp_path / "o.parquet", provenance, outcomes_of(trials)))
    nothing = pa.nulls(3, pa.list_(pa.float32()))
    table = table.drop_columns("credit: pixels, mse").append_column("credit: pixels, mse", nothing)
    pq.write_table(table, tmp_path / "o.parquet")
    with pytest.raises(TableError, match=r"o\.parquet: no model has credit on any trial"):
        read_outcomes([tmp_path / "o.parquet"])


def test_parts_that_lack_a_column_of_credit_were_not_scored(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    first, second = trials.take(np.array([0])), trials.take(np.array([1, 2]))
    both = [outcomes_of(trials), outcomes_of(trials, "other")]
    write(tmp_path / "a.parquet", provenance, *(replace(entry.take(np.array([0])), trials=first) for entry in both))
    write(tmp_path / "b.parquet", provenance, replace(both[0].take(np.array([1, 2])), trials=second))
    whole, part = read_outcomes([tmp_path])
    assert (len(whole.trials), len(part.trials)) == (3, 1)
    np.testing.assert_array_equal(whole.credit, both[0].credit)


def version_1(*entries: Outcomes) -> pd.DataFrame:
    """The layout of version 0.1: a row for each trial, model and distance."""
    pieces: list[pd.DataFrame] = []
    for entry in entries:
        credit = [entry.credit[start:stop].tolist() for start, stop in pairwise(entry.start)]
        columns = judgment_columns(entry.trials, pa.array(entry.trials.images))
        judged = pd.DataFrame({name: column.to_pylist() for name, column in columns.items() if name != "response_ms"})
        pieces.append(judged.assign(model=entry.model, distance=entry.distance, credits=credit, top_1=1 / 3))
    return pd.concat(pieces)


def test_models_scored_on_the_same_judgments_share_them(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    first = write(tmp_path / "1.parquet", provenance, outcomes_of(trials), outcomes_of(trials, distance="cosine"))
    second = write(tmp_path / "2.parquet", provenance, outcomes_of(trials, "PCA 10"))
    entries = read_outcomes([first, second])
    assert [(entry.model, entry.distance) for entry in entries] == [
        ("pixels", "mse"),
        ("pixels", "cosine"),
        ("PCA 10", "mse"),
    ]
    assert entries[0].trials is entries[1].trials is entries[2].trials


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5]])
def test_version_1_is_read_in_any_order_of_rows(
    tmp_path: Path, trials: Trials, provenance: Provenance, order: list[int]
) -> None:
    frame = version_1(outcomes_of(trials), outcomes_of(trials, "other"))
    frame.iloc[order].to_parquet(tmp_path / "mixed.parquet")
    new = write(tmp_path / "new.parquet", provenance, outcomes_of(trials, "third"))
    entries = read_outcomes([tmp_path / "mixed.parquet", new])
    assert [entry.model for entry in entries] == ["pixels", "other", "third"]
    for entry in entries:
        np.testing.assert_array_equal(entry.credit, outcomes_of(trials).credit)
        assert entry.trials is entries[0].trials


def reordered(entry: Outcomes, order: list[int]) -> Outcomes:
    return entry.take(np.array(order))


def elsewhere(trials: Trials) -> Trials:
    """The same design with another answer to one trial: another experiment."""
    selected = trials.selected.copy()
    selected[0] = [1, 2]
    return replace(trials, selected=selected)


def test_judgments_in_another_order_are_the_same_sample(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    scores = np.array([0.1, 0.2, 0.3], np.float32)
    entry = outcomes_of(trials, "other", log_likelihood=scores)
    paths = [
        write(tmp_path / "1.parquet", provenance, outcomes_of(trials)),
        write(tmp_path / "2.parquet", provenance, reordered(entry, [2, 0, 1])),
    ]
    first, second = read_outcomes(paths)
    assert first.trials is second.trials
    np.testing.assert_array_equal(second.credit, entry.credit)
    np.testing.assert_array_equal(second.log_likelihood, scores)


def test_trials_that_were_counted_in_another_order_are_the_same_sample(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    entry = reordered(outcomes_of(trials, "other"), [2, 0, 1])
    counted = replace(entry, trials=replace(entry.trials, trial_id=np.arange(3)))
    paths = [
        write(tmp_path / "1.parquet", provenance, outcomes_of(trials)),
        write(tmp_path / "2.parquet", provenance, counted),
    ]
    first, second = read_outcomes(paths)
    assert first.trials is second.trials
    np.testing.assert_array_equal(second.credit, outcomes_of(trials).credit)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(12)))
def test_any_order_is_undone_also_where_people_agree(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    people = Trials.build(
        images=["a", "b", "c"],
        trial_type=["2-choose-1"] * 12,
        query=np.zeros(12, int),
        references=np.tile([1, 2], (12, 1)),
        selected=np.arange(12)[:, None] % 2,
        participant=[f"p{at % 3}" for at in range(12)],
    )
    entry = Outcomes("m", "mse", people, (np.arange(12) % 6 / 6).astype(np.float32))
    folder, provenance = tmp_path_factory.mktemp("order"), Provenance.of([], [])
    paths = [
        write(folder / "1.parquet", provenance, entry),
        write(folder / "2.parquet", provenance, reordered(replace(entry, model="other"), order)),
    ]
    first, second = read_outcomes(paths)
    assert first.trials is second.trials
    np.testing.assert_array_equal(first.credit, second.credit)


def test_one_model_on_two_experiments_is_two_entries(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    paths = [
        write(tmp_path / "1.parquet", provenance, outcomes_of(trials)),
        write(tmp_path / "2.parquet", provenance, outcomes_of(elsewhere(trials))),
    ]
    first, second = read_outcomes(paths)
    assert (first.model, first.distance) == (second.model, second.distance)
    assert first.trials is not second.trials
    np.testing.assert_array_equal(second.trials.selected, elsewhere(trials).selected)


def half(trials: Trials) -> Outcomes:
    return reordered(outcomes_of(trials), [2, 0])


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (outcomes_of, r"2\.parquet: pixels with mse occurs twice, on the same judgments; leave one out"),
        (lambda trials: reordered(outcomes_of(trials), [1, 2, 0]), "twice, on the same judgments; leave one out"),
        (half, "occurs twice: one table holds all 2 judgments of the other; leave one out"),
        (
            lambda trials: outcomes_of(trials, credit=np.array([0, 0, 0, 1, 0, 0, 1], np.float32)),
            "other credits: if these are two models, give one of them another name with embed --name",
        ),
    ],
)
def test_the_same_judgments_twice_for_a_model_and_distance_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, second: Callable[[Trials], Outcomes], complaint: str
) -> None:
    first = write(tmp_path / "1.parquet", provenance, outcomes_of(trials))
    again = write(tmp_path / "2.parquet", provenance, second(trials))
    with pytest.raises(TableError, match=complaint):
        read_outcomes([first, again])


LISTS = [
    ([[1.0, 0.0, 7.0], [1.0], [0.0, 0.0, 1.0]], "credit is not a number from 0 to 1 at trial_id 0"),
    ([[1.0, 0.0, 0.0], [1.0], [0.0, NAN, 1.0]], "credit is not a number from 0 to 1 at trial_id 2"),
    ([[1.0, None, 1.0], [1.0], [0.0, 0.0, 1.0]], "credit is not a number from 0 to 1 at trial_id 0"),
    ([[1.0], [1.0], [0.0, 0.0, 1.0]], "the number of credits is not that of the comparisons at trial_id 0"),
]


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        *(("credit: pixels, mse", *each) for each in LISTS),
        *(
            (
                "probability: pixels, mse",
                values,
                complaint.replace("credits", "probabilities").replace("credit ", "probability "),
            )
            for values, complaint in LISTS
        ),
        ("log_likelihood: pixels, mse", [-1.0, None, -2.0], "log_likelihood is missing or not finite at trial_id 1"),
        *(
            (
                "log_likelihood: pixels, mse",
                [-1.0, -2.0, value],
                "log_likelihood is missing or not finite .* 2",
            )
            for value in (NAN, -np.inf)
        ),
    ],
)
def test_impossible_outcomes_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, column: str, values: list[Any], complaint: str
) -> None:
    scored = outcomes_of(trials, log_likelihood=np.array([-1, -2, -3], np.float32), probability=CHANCES)
    table = pq.read_table(write(tmp_path / "o.parquet", provenance, scored))
    array = pa.array(values, table.schema.field(column).type)
    pq.write_table(table.drop_columns([column]).append_column(column, array), tmp_path / "o.parquet")
    with pytest.raises(TableError, match=complaint) as failure:
        read_outcomes([tmp_path / "o.parquet"])
    assert "o.parquet: pixels with mse: " in str(failure.value)


@pytest.mark.parametrize(("values", "complaint"), LISTS)
def test_impossible_outcomes_of_version_1_are_refused(
    tmp_path: Path, trials: Trials, values: list[Any], complaint: str
) -> None:
    version_1(outcomes_of(trials)).assign(credits=values).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(TableError, match=complaint) as failure:
        read_outcomes([tmp_path / "o.parquet"])
    assert "o.parquet: pixels with mse: " in str(failure.value)


@pytest.mark.parametrize("name", ["model", "distance"])
def test_version_1_needs_all_of_its_columns(tmp_path: Path, trials: Trials, name: str) -> None:
    version_1(outcomes_of(trials)).drop(columns=name).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(TableError, match=f"a table of outcomes needs column {name}; found"):
        read_outcomes([tmp_path / "o.parquet"])


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    def failing() -> Iterator[Outcomes]:
        yield outcomes_of(trials)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_outcomes(tmp_path / "o.parquet", trials, failing(), provenance)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("observers", [None, *Observers])
def test_outcomes_carry_who_judged(
    tmp_path: Path, trials: Trials, provenance: Provenance, observers: Observers | None
) -> None:
    entry = outcomes_of(replace(trials, observers=observers))
    (read,) = read_outcomes([write(tmp_path / "o.parquet", provenance, entry)])
    assert read.trials.observers is observers


def test_outcomes_carry_the_further_columns_of_the_trials(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    extra = {"condition": pa.array(["upright", None, "inverted"]), "age": pa.array([31, 27, None], pa.int64())}
    trials = replace(trials, extra=extra)
    entries = [outcomes_of(trials), outcomes_of(trials, "glow")]
    for read in read_outcomes([write(tmp_path / "o.parquet", provenance, *entries)]):
        assert dict(read.trials.extra) == extra

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.tables.files import TableError
from simtool.tables.observers import Observers
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials


def assert_equal(one: Trials, other: Trials) -> None:
    np.testing.assert_array_equal(one.images[one.query], other.images[other.query])
    for mine, theirs in zip(one.references, other.references, strict=True):
        np.testing.assert_array_equal(one.images[mine[mine >= 0]], other.images[theirs[theirs >= 0]])
    assert [one.types[at] for at in one.type_index] == [other.types[at] for at in other.type_index]
    assert one.participant.tolist() == other.participant.tolist()
    assert one.session.tolist() == other.session.tolist()
    for name in ("trial_id", "selected", "weight", "response_ms"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_round_trip(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    write_trials(tmp_path / "t.parquet", trials, provenance)
    assert_equal(read_trials(tmp_path / "t.parquet"), trials)
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert {field.name: str(field.type) for field in schema} == {
        "trial_id": "int64",
        **dict.fromkeys(("trial_type", "query", "participant", "session"), "string"),
        "references": "list<element: string>",
        "selected": "list<element: int8>",
        **dict.fromkeys(("weight", "response_ms"), "float"),
    }


def test_trials_of_pandas_and_polars_are_read(tmp_path: Path) -> None:
    columns = {
        "trial_type": ["2-choose-1", "3-rank-2"],
        "query": ["a", "b"],
        "references": [["b", "c"], ["a", "c", "d"]],
        "selected": [[1], [2, 0]],
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "pandas.parquet")
    pl.DataFrame(columns).with_columns(pl.col("query").cast(pl.Categorical)).write_parquet(tmp_path / "polars.parquet")
    first = read_trials(tmp_path / "pandas.parquet")
    assert_equal(first, read_trials(tmp_path / "polars.parquet"))
    assert list(first.trial_id) == [0, 1]
    assert list(first.images[first.references[1]]) == ["a", "c", "d"]


def test_parts_share_one_vocabulary(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    for index, row in enumerate([2, 0, 1]):
        write_trials(tmp_path / f"part-0000{index}-of-00003.parquet", trials.take(np.array([row])), provenance)
    assert_equal(read_trials(tmp_path), trials.take(np.array([2, 0, 1])))


GOOD = {"trial_type": "3-rank-2", "query": "q", "references": ["a", "b", "c"], "selected": [2, 0]}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"references": ["a", "q", "c"]}, "trial_id 1 shows its query among its references"),
        ({"references": ["a", "a", "c"]}, "trial_id 1 shows a reference twice"),
        (
            {"references": ["a", "b"]},
            "trial_id 1 has another number of references than its trial type states",
        ),
        ({"references": ["a", None, "c"]}, "column references has 1 missing value inside its lists"),
        ({"selected": [0]}, "trial_id 1 has another number of selections than its trial type states"),
        ({"selected": [0, 3]}, "trial_id 1 selects a position outside its references"),
        ({"selected": [0, -1]}, "trial_id 1 has another number of selections"),
        ({"selected": [1, 1]}, "trial_id 1 selects a reference twice"),
        ({"selected": [1, None]}, "column selected has 1 missing value inside its lists"),
        ({"selected": None}, "column selected has 1 missing value, at row 1"),
        ({"query": None}, "trial_id 1 has no query"),
        ({"trial_type": "three"}, "trial type 'three' is unknown; known are N-rank-K, N-choose-K"),
        ({"trial_id": 0}, "trial_id is not unique"),
        ({"weight": -1.0}, "trial_id 1 has a negative weight"),
    ],
)
def test_an_impossible_trial_is_named(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    rows = [{**GOOD, "trial_id": 0, "weight": 1.0}, {**GOOD, "trial_id": 1, "weight": 1.0, **change}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=complaint) as failure:
        read_trials(tmp_path / "t.parquet")
    assert "t.parquet" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([GOOD]).slice(0, 0), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="the table has no rows"):
        read_trials(tmp_path / "t.parquet")


@pytest.mark.parametrize("observers", [None, *Observers])
def test_a_table_states_who_judged(
    tmp_path: Path, trials: Trials, provenance: Provenance, observers: Observers | None
) -> None:
    write_trials(tmp_path / "t.parquet", replace(trials, observers=observers), provenance)
    read = read_trials(tmp_path / "t.parquet")
    assert read.observers is observers
    assert read.take(np.array([1])).observers is observers


@pytest.mark.parametrize("stated", ["animals", ["human"], 3])
def test_observers_of_no_known_kind_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, stated: object
) -> None:
    write_trials(tmp_path / "t.parquet", trials, provenance)
    table = pq.read_table(tmp_path / "t.parquet")
    metadata = json.loads(table.schema.metadata[b"simtool"]) | {"observers": stated}
    pq.write_table(table.replace_schema_metadata({b"simtool": json.dumps(metadata)}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet: the metadata's observers should be human, simulated"):
        read_trials(tmp_path / "t.parquet")


def test_parts_that_do_not_agree_who_judged_are_refused(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    for name, observers in (("a", Observers.HUMAN), ("b", None)):
        part = replace(trials, observers=observers, trial_id=trials.trial_id + 10 * (name == "b"))
        write_trials(tmp_path / f"{name}.parquet", part, provenance)
    with pytest.raises(TableError, match="its parts do not agree who judged"):
        read_trials(tmp_path)


EXTRA = {
    "condition": pa.array(["upright", None, "inverted"]),
    "age": pa.array([31, 27, None], pa.int64()),
    "pilot": pa.array([True, False, True]),
    "contrast": pa.array([0.5, 1.0, None]),
}


def test_columns_that_mean_nothing_here_are_kept_with_their_types(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    write_trials(tmp_path / "t.parquet", replace(trials, extra=EXTRA), provenance)
    read = read_trials(tmp_path / "t.parquet")
    assert dict(read.extra) == EXTRA
    for rows in (np.array([2, 0]), np.array([True, False, True]), slice(1, 3)):
        taken = read.take(rows)
        kept = np.arange(3)[rows].tolist()
        assert {name: column.to_pylist() for name, column in taken.extra.items()} == {
            name: [column[row].as_py() for row in kept] for name, column in EXTRA.items()
        }


def test_columns_of_pandas_and_polars_are_kept(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    write_trials(tmp_path / "t.parquet", trials, provenance)
    frame = pd.read_parquet(tmp_path / "t.parquet").assign(group=pd.Categorical(["a", "b", "a"]))
    frame.index = pd.Index([4, 5, 9])
    frame.to_parquet(tmp_path / "pandas.parquet")
    assert {name: str(column.type) for name, column in read_trials(tmp_path / "pandas.parquet").extra.items()} == {
        "group": "string"
    }
    pl.read_parquet(tmp_path / "t.parquet").with_columns(group=pl.Series(["a", "b", "a"])).write_parquet(
        tmp_path / "polars.parquet"
    )
    assert read_trials(tmp_path / "polars.parquet").extra["group"].to_pylist() == ["a", "b", "a"]


def test_a_column_that_some_parts_lack_is_null_there(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    write_trials(tmp_path / "a.parquet", replace(trials, extra={"age": pa.array([3, 4, 5])}), provenance)
    write_trials(tmp_path / "b.parquet", replace(trials, trial_id=trials.trial_id + 50), provenance)
    assert read_trials(tmp_path).extra["age"].to_pylist() == [3, 4, 5, None, None, None]
    text = replace(trials, trial_id=trials.trial_id + 90, extra={"age": pa.array(["x", "y", "z"])})
    write_trials(tmp_path / "c.parquet", text, provenance)
    with pytest.raises(TableError, match=r"its parts hold a column in types that do not fit together: .*age"):
        read_trials(tmp_path)


def test_a_column_with_a_reserved_name_gets_another_name(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    names = ("model", "source_model", "Distance")
    extra = {name: pa.array([name] * 3) for name in names}
    write_trials(tmp_path / "t.parquet", replace(trials, extra=extra), provenance)
    read = {name: column[0].as_py() for name, column in read_trials(tmp_path / "t.parquet").extra.items()}
    assert read == {"source_source_model": "model", "source_model": "source_model", "source_Distance": "Distance"}


def test_a_column_that_folders_state_is_kept(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    for place, condition in enumerate(("upright", "inverted")):
        (tmp_path / "t" / f"condition={condition}").mkdir(parents=True)
        part = replace(trials, trial_id=trials.trial_id + 50 * place)
        write_trials(tmp_path / "t" / f"condition={condition}" / "data.parquet", part, provenance)
    read = read_trials(tmp_path / "t")
    assert sorted(zip(read.trial_id.tolist(), read.extra["condition"].to_pylist(), strict=True)) == [
        *((trial_id, "upright") for trial_id in trials.trial_id.tolist()),
        *((trial_id + 50, "inverted") for trial_id in trials.trial_id.tolist()),
    ]


def test_a_repeated_column_is_refused(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    write_trials(tmp_path / "t.parquet", trials, provenance)
    table = pq.read_table(tmp_path / "t.parquet")
    for _ in range(2):
        table = table.append_column("age", pa.array([1, 2, 3]))
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(TableError, match="the file has column age more than once"):
        read_trials(tmp_path / "t.parquet")

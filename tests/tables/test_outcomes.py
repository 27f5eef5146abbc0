from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tables.files import TableError
from simtool.tables.observers import Observers
from simtool.tables.outcomes import Outcomes, OutcomesWriter, read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials

NAN = np.nan


def outcomes_of(trials: Trials, model: str = "pixels", distance: str = "mse", **changes: Any) -> Outcomes:
    """Outcomes of the three trials of the fixture: of 3, 1 and 3 comparisons."""
    columns: dict[str, Any] = {"credit": np.array([1, 0.5, 0, 1, 0, 0, 1], np.float32), **changes}
    return Outcomes(model, distance, trials, **columns)


def write(path: Path, provenance: Provenance, *entries: Outcomes) -> Path:
    with OutcomesWriter(path, provenance, entries[0].trials) as writer:
        for entry in entries:
            writer.write(entry)
    return path


def test_round_trip(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    written = outcomes_of(trials, log_likelihood=np.array([-1, -2, -3], np.float32))
    (read,) = read_outcomes([write(tmp_path / "o.parquet", provenance, written)])
    for name in ("model", "distance", "credit", "log_likelihood"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    np.testing.assert_array_equal(read.trials.images[read.trials.query], trials.images[trials.query])
    np.testing.assert_array_equal(read.trials.weight, trials.weight)


def test_the_schema_is_the_contracts(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    schema = pq.read_schema(write(tmp_path / "o.parquet", provenance, outcomes_of(trials)))
    assert {field.name: str(field.type) for field in schema} == {
        **dict.fromkeys(("model", "distance"), "dictionary<values=string, indices=int32, ordered=0>"),
        "trial_id": "int64",
        **dict.fromkeys(("trial_type", "participant", "session", "query"), "string"),
        "references": "list<element: string>",
        **dict.fromkeys(("selected", "relations"), "list<element: int8>"),
        "credits": "list<element: float>",
        **dict.fromkeys(("weight", "top_1", "ordered", "unordered", "log_likelihood"), "float"),
    }


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


def test_rows_in_any_order_are_sorted_out(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    path = write(tmp_path / "o.parquet", provenance, outcomes_of(trials), outcomes_of(trials, "other"))
    frame = pd.read_parquet(path).astype({"model": str, "distance": str})
    frame.iloc[[0, 3, 1, 4, 2, 5]].to_parquet(tmp_path / "mixed.parquet")
    entries = read_outcomes([tmp_path / "mixed.parquet"])
    assert [entry.model for entry in entries] == ["pixels", "other"]
    for entry in entries:
        np.testing.assert_array_equal(entry.credit, outcomes_of(trials).credit)


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
        (outcomes_of, r"2\.parquet: pixels with mse is there twice, on the same judgments; leave one out"),
        (lambda trials: reordered(outcomes_of(trials), [1, 2, 0]), "twice, on the same judgments; leave one out"),
        (half, "there twice: one table holds all 2 judgments of the other; leave one out"),
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


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"credit": np.array([1, 0, 7, 1, 0, 0, 1], np.float32)},
            "credits is not a number from 0 to 1 at trial_id 0",
        ),
        (
            {"credit": np.array([1, 0, 0, 1, 0, NAN, 1], np.float32)},
            "credits is not a number from 0 to 1 at trial_id 2",
        ),
        *(
            ({"log_likelihood": np.array([-1, -2, value], np.float32)}, "log_likelihood is not finite at trial_id 2")
            for value in (NAN, -np.inf)
        ),
    ],
)
def test_impossible_outcomes_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, changes: dict[str, Any], complaint: str
) -> None:
    path = write(tmp_path / "o.parquet", provenance, outcomes_of(trials, **changes))
    with pytest.raises(TableError, match=complaint) as failure:
        read_outcomes([path])
    assert "o.parquet: pixels with mse: " in str(failure.value)


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        (
            "credits",
            [[1.0], [1.0], [0.0, 0.0, 1.0]],
            "credits are not one for each comparison of a trial at trial_id 0",
        ),
        ("credits", [[1.0, None, 1.0], [1.0], [0.0, 0.0, 1.0]], "credits is not a number from 0 to 1 at trial_id 0"),
        ("log_likelihood", [-1.0, None, -2.0], "log_likelihood is there for some trials only .* at trial_id 1"),
    ],
)
def test_columns_of_other_programs_that_do_not_fit_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, name: str, values: list[Any], complaint: str
) -> None:
    table = pq.read_table(write(tmp_path / "o.parquet", provenance, outcomes_of(trials)))
    column = pa.array(values, table.schema.field(name).type)
    pq.write_table(table.drop_columns([name]).append_column(name, column), tmp_path / "o.parquet")
    with pytest.raises(TableError, match=complaint):
        read_outcomes([tmp_path / "o.parquet"])


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    with pytest.raises(RuntimeError), OutcomesWriter(tmp_path / "o.parquet", provenance, trials) as writer:
        writer.write(outcomes_of(trials))
        raise RuntimeError
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

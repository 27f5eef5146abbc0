from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from simtool.tables.files import TableError
from simtool.tables.outcomes import Outcomes, OutcomesWriter, read_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials

NAN = np.nan


def outcomes_of(trials: Trials, model: str = "pixels", distance: str = "mse", **changes: Any) -> Outcomes:
    third = np.full(len(trials), 1 / 3, np.float32)
    columns: dict[str, Any] = {
        "credits": np.array([[1, 0.5, 0], [1, NAN, NAN], [0, 0, 1]], np.float32)[: len(trials)],
        "top_1": third,
        "ordered": third / 2,
        "unordered": third / 4,
        **changes,
    }
    return Outcomes(model, distance, trials, **columns)


def write(path: Path, provenance: Provenance, *entries: Outcomes) -> Path:
    with OutcomesWriter(path, provenance) as writer:
        for entry in entries:
            writer.write(entry)
    return path


def test_round_trip(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    relations = np.array([[0, 5, 15], [3, -1, -1], [1, 1, 2]], np.int8)
    written = outcomes_of(trials, relations=relations, log_likelihood=np.array([-1, -2, -3], np.float32))
    (read,) = read_outcomes([write(tmp_path / "o.parquet", provenance, written)])
    for name in ("model", "distance", "credits", "top_1", "ordered", "unordered", "relations", "log_likelihood"):
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
        np.testing.assert_array_equal(entry.credits, outcomes_of(trials).credits)


def test_the_same_model_and_distance_twice_is_refused(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    paths = [write(tmp_path / name, provenance, outcomes_of(trials)) for name in ("1.parquet", "2.parquet")]
    with pytest.raises(TableError, match=r"2\.parquet: pixels with mse is there twice"):
        read_outcomes(paths)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"credits": np.array([[1, 0, 7], [1, NAN, NAN], [0, 0, 1]], np.float32)},
            "credits outside 0 to 1 at trial_id 0",
        ),
        ({"top_1": np.array([0, -1, 0], np.float32)}, "top_1 outside 0 to 1 at trial_id 1"),
    ],
)
def test_impossible_outcomes_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance, changes: dict[str, Any], complaint: str
) -> None:
    path = write(tmp_path / "o.parquet", provenance, outcomes_of(trials, **changes))
    with pytest.raises(TableError, match=complaint):
        read_outcomes([path])


def test_credits_that_do_not_fit_the_trial_type_are_refused(
    tmp_path: Path, trials: Trials, provenance: Provenance
) -> None:
    path = write(tmp_path / "o.parquet", provenance, outcomes_of(trials))
    frame = pd.read_parquet(path)
    frame["credits"] = [[1.0], [1.0], [0.0, 0.0, 1.0]]
    frame.to_parquet(path)
    with pytest.raises(TableError, match="credits are not one for each comparison"):
        read_outcomes([path])


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, trials: Trials, provenance: Provenance) -> None:
    with pytest.raises(RuntimeError), OutcomesWriter(tmp_path / "o.parquet", provenance) as writer:
        writer.write(outcomes_of(trials))
        raise RuntimeError
    assert not list(tmp_path.iterdir())

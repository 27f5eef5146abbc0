"""Strata by a column of the trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from simtool.analysis.columns import MOST, column_strata
from simtool.analysis.report import ReportError
from tests.scored import latent, observe

RNG = np.random.default_rng(0)
COUNT = 60
TRIALS = observe(
    RNG,
    latent(RNG, 15),
    {"8-rank-2": 20, "2-choose-1": 40},
    participants=3,
    session=[f"day {at % 2}" for at in range(COUNT)],
    weight=np.where(np.arange(COUNT) < 10, np.nan, 0.5 + (np.arange(COUNT) % 2)),
    extra={
        "condition": pa.array(["hard", "easy", None] * 20).dictionary_encode(),
        "age": pa.array([30, 4, 100] * 20),
        "right_handed": pa.array([True, False] * 30),
        "empty": pa.nulls(COUNT),
        "constant": pa.array(["x"] * COUNT),
        "words": pa.array([["a"]] * COUNT),
    },
)


def _members(name: str) -> dict[str, list[int]]:
    return {stratum.name: np.flatnonzero(stratum.mask).tolist() for stratum in column_strata(TRIALS, name)}


def test_each_value_is_a_stratum_in_ascending_order_and_a_missing_value_is_the_last() -> None:
    found = _members("condition")
    assert list(found) == ["condition=easy", "condition=hard", "condition=null"]
    assert found["condition=hard"] == list(range(0, COUNT, 3))
    assert sorted(at for rows in found.values() for at in rows) == list(range(COUNT))


def test_numbers_ascend_by_size() -> None:
    assert list(_members("age")) == ["age=4", "age=30", "age=100"]
    assert list(_members("weight")) == ["weight=0.5", "weight=1.5", "weight=null"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("right_handed", ["false", "true"]),
        ("participant", ["person-0", "person-1", "person-2"]),
        ("session", ["day 0", "day 1"]),
        ("trial_type", ["2-choose-1", "8-rank-2"]),
    ],
)
def test_columns_of_every_kind_divide_trials(name: str, values: list[str]) -> None:
    assert list(_members(name)) == [f"{name}={value}" for value in values]


def test_a_column_that_is_missing_or_holds_lists_or_nothing_is_refused_with_the_columns_that_there_are() -> None:
    for name in ("group", "words", "empty"):
        with pytest.raises(
            ReportError, match=rf"^--by {name}: the trials have no such column; they have trial_type, .*age"
        ):
            column_strata(TRIALS, name)


def test_too_many_values_are_refused_with_the_columns_that_have_fewer() -> None:
    with pytest.raises(
        ReportError,
        match=r"--by age: the column has 3 values, more than 2; .*: trial_type, session, .*, right_handed$",
    ):
        column_strata(TRIALS, "age", most=2)
    many = observe(RNG, latent(RNG, 10), {"2-choose-1": MOST + 1}, session=[str(at) for at in range(MOST + 1)])
    with pytest.raises(ReportError, match=f"has {MOST + 1} values, more than {MOST}"):
        column_strata(many, "session")


def test_a_column_with_one_value_divides_nothing() -> None:
    with pytest.raises(ReportError, match=r"all trials have the same value \(constant=x\)"):
        column_strata(TRIALS, "constant")


def test_a_column_that_is_called_like_the_labels_of_images_is_refused() -> None:
    with pytest.raises(ReportError, match="--by labels: a report calls the labels of images so"):
        column_strata(TRIALS, "labels")


def test_the_text_null_and_a_missing_value_are_different() -> None:
    trials = replace(TRIALS, extra={"condition": pa.array(["null", "easy", None] * 20)})
    found = {stratum.name: np.flatnonzero(stratum.mask).tolist() for stratum in column_strata(trials, "condition")}
    assert found["condition=null"] == list(range(0, COUNT, 3))
    assert found["condition=(null)"] == list(range(2, COUNT, 3))

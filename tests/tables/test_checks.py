"""The check of a model of choices is written to outcomes and read again; other content is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from simtool.tables.checks import Check
from simtool.tables.outcomes import read_outcomes
from simtool.tables.parquet import TableError
from tests.scored import latent, model, observe, outcomes_of, write

CHECK = Check("2-choose-1", 9, 0.75, 0.74, 0.7, 0.5)


def test_the_noise_ceiling_adds_what_fitting_loses() -> None:
    assert CHECK.noise_ceiling == pytest.approx(0.79)


def test_outcomes_keep_the_checks_of_the_models_that_have_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 9)
    trials = observe(rng, minds, {"2-choose-1": 9})
    plain, fitted = (outcomes_of(name, "mse", trials, model(rng, minds, 1.0)) for name in ("a", "b"))
    path = write(tmp_path / "outcomes.parquet", plain, replace(fitted, checks=(CHECK,)))
    found = {each.model: each.checks for each in read_outcomes([path])}
    assert found == {"a": (), "b": (CHECK,)}
    stated = json.loads(pq.read_schema(path).metadata[b"simtool"])["credit"]
    assert "checks" not in stated[0]
    assert stated[1]["checks"] == [asdict(CHECK)]


@pytest.mark.parametrize(
    ("name", "value"), [("trials", 9.5), ("accuracy", "high"), ("own", None), ("trial_type", 3), ("loss", True)]
)
def test_a_value_of_another_type_is_refused_in_one_line(name: str, value: Any) -> None:
    with pytest.raises(TableError, match=rf"^t\.parquet: a check in the metadata must hold .*; its {name} is "):
        Check.stated(Path("t.parquet"), {**asdict(CHECK), name: value})


def test_something_else_is_refused() -> None:
    with pytest.raises(TableError, match="its trial_type is None"):
        Check.stated(Path("t.parquet"), [1, 2])

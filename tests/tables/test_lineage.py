"""Outcomes state what a model shares with its untrained controls; other content is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from simtool.tables.info import EmbeddingInfo
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes import read_outcomes
from simtool.tables.parquet import TableError
from tests.scored import latent, model, observe, outcomes_of, write

CONTROL = Lineage("5a", "activations:window=0.5", "c0", 0)
INFO = EmbeddingInfo("net", 2, origin="keras:VGG16", layer="fc1", preprocessing='{"crop": 0.875}')


def test_vectors_state_it_and_a_control_differs_in_its_seed() -> None:
    found = Lineage.of(INFO)
    assert found is not None
    assert (found.origin, found.layer, found.untrained) == ("keras:VGG16", "fc1", None)
    control = Lineage.of(replace(INFO, name="another", model="other weights", untrained=3))
    assert control is not None
    assert control == replace(found, untrained=3)
    assert control.trained == found


@pytest.mark.parametrize("change", [{"origin": "keras:VGG19"}, {"layer": "fc2"}, {"preprocessing": "{}"}])
def test_other_vectors_have_another_one(change: dict[str, Any]) -> None:
    assert Lineage.of(replace(INFO, **change)) != Lineage.of(INFO)


def test_vectors_without_an_origin_have_none() -> None:
    assert Lineage.of(replace(INFO, origin=None)) is None


def test_weights_tell_a_family_and_do_not_part_a_model_from_its_controls() -> None:
    found = Lineage.of(replace(INFO, origin=None, model="07", untrained=None))
    assert found is not None
    assert found.weights == "07"
    assert Lineage.stated(Path("t.parquet"), found.to_json()) == found
    trained, control = (Lineage.of(replace(INFO, model=weights)) for weights in ("07", "13"))
    assert trained == control


def test_outcomes_keep_it_and_older_outcomes_have_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 9)
    trials = observe(rng, minds, {"2-choose-1": 9})
    names = {"older": None, "trained": CONTROL.trained, "control": CONTROL, "no layer": Lineage("5a", weights="07")}
    entries = [
        replace(outcomes_of(name, "mse", trials, model(rng, minds, 1.0)), lineage=own) for name, own in names.items()
    ]
    path = write(tmp_path / "outcomes.parquet", *entries)
    assert {each.model: each.lineage for each in read_outcomes([path])} == names
    stated = json.loads(pq.read_schema(path).metadata[b"simtool"])["credit"]
    assert set(stated[0]) == {"column", "model", "distance"}
    assert stated[2]["lineage"] == {name: value for name, value in asdict(CONTROL).items() if name != "weights"}
    assert stated[3]["lineage"] == {"origin": "5a", "weights": "07"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("5a", "lineage must be an object, but is '5a'"),
        ({"layer": "fc1"}, "lineage states no origin; score again"),
        ({"origin": ["5a"]}, "origin must be text"),
        ({"origin": "5a", "untrained": -1}, "untrained must be a whole number of at least 0"),
    ],
)
def test_something_else_is_refused_in_one_line(entry: object, message: str) -> None:
    with pytest.raises(TableError, match=rf"^t\.parquet: the metadata's {message}"):
        Lineage.stated(Path("t.parquet"), entry)

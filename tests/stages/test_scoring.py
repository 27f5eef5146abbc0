"""Outcomes of score state what their models share with untrained controls, and report compares them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simtool import stages
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.tables.lineage import Lineage
from tests.scored import latent, observe

RNG = np.random.default_rng(5)
MINDS = latent(RNG, 16)
TRIALS = observe(RNG, MINDS, {"2-choose-1": 300})
INFO = EmbeddingInfo("flow", MINDS.shape[1], origin="flow", layer="activations", preprocessing="{}")


def _table(info: EmbeddingInfo, noise: float) -> EmbeddingTable:
    vectors = MINDS + RNG.normal(scale=noise, size=MINDS.shape)
    return EmbeddingTable.of([str(name) for name in TRIALS.images], vectors.astype(np.float32), info)


CONTROLS = [replace(INFO, name=f"flow, untrained, seed {seed}", untrained=seed) for seed in range(2)]
TABLES = [
    _table(INFO, 0.2),
    *(_table(info, 1.5) for info in CONTROLS),
    _table(replace(INFO, name="elsewhere", origin=None), 1.0),
]


@pytest.mark.parametrize("written", [False, True])
def test_a_model_is_compared_with_its_controls(written: bool, tmp_path: Path) -> None:
    out = tmp_path / "outcomes.parquet" if written else None
    scores = stages.score(TABLES, TRIALS, out, distances=["mse", "cosine"])
    lineage = Lineage.of(INFO)
    assert lineage is not None
    expected = {"flow": lineage, "elsewhere": None}
    expected |= {info.name: replace(lineage, untrained=info.untrained) for info in CONTROLS}
    assert {each.model: each.lineage for each in scores.outcomes} == expected
    report = stages.report(scores, replicates=100)
    gains = {(row.model, row.distance): row.gains for row in report.rows if row.trial_type == "all" and row.gains}
    assert set(gains) == {("flow", "mse"), ("flow", "cosine")}
    assert all(gain.seeds == (0, 1) and gain.difference.estimate > 0 for (gain,) in gains.values())


def test_a_choice_model_and_several_tables_of_outcomes_keep_the_match(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    for path, tables in zip(paths, (TABLES[:1], TABLES[1:]), strict=True):
        stages.score(tables, TRIALS, path, distances=["cosine"], choice_model=True)
    report = stages.report(paths, replicates=100)
    assert [gain.seeds for row in report.rows if row.trial_type == "all" for gain in row.gains] == [(0, 1)]


def test_the_components_of_a_control_are_a_control_of_the_components_of_its_model() -> None:
    reduced = [stages.compress(table, components=2) for table in TABLES[:3]]
    report = stages.report(stages.score(reduced, TRIALS, distances=["mse"]), replicates=100)
    assert [gain.seeds for row in report.rows if row.trial_type == "all" for gain in row.gains] == [(0, 1)]
    mixed = stages.score([reduced[0], *TABLES[1:3]], TRIALS, distances=["mse"])
    assert not any(row.gains for row in stages.report(mixed, replicates=100).rows)

"""The reference of metrics, distances and columns says what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.difficulty import Ratio
from simtool.analysis.metrics import METRICS
from simtool.analysis.noise_ceiling import ENOUGH
from simtool.analysis.report import Settings
from simtool.designs import parse_type
from simtool.reporting.exports import records
from simtool.reporting.formatting import FEW
from simtool.scoring.distances import DISTANCES
from simtool.scoring.given import GIVEN
from simtool.tables.checks import Check
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.tables.lineage import Lineage
from tests.analysis.test_labels import IMAGES, labelled
from tests.scored import latent, model, observe, outcomes_of

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def _tables() -> Iterator[list[list[str]]]:
    """The cells of each table, with the header first."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        lines = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in block.splitlines()]
        yield [[cell.strip() for cell in line] for line in [lines[0], *lines[2:]]]


def _table(first: str) -> list[list[str]]:
    return next(table for table in _tables() if table[0][0] == first)


def test_the_table_of_metrics_has_every_metric_with_its_label_and_chance() -> None:
    header, *lines = _table("metric")
    assert [(line[0], line[1]) for line in lines] == [(f"`{name}`", each.label) for name, each in METRICS.items()]
    types = [parse_type(title.removeprefix("chance (").removesuffix(")")) for title in header[3:]]
    assert types
    for line, metric in zip(lines, METRICS.values(), strict=True):
        stated = [None if not cell else float(Fraction(cell)) for cell in line[3:]]
        assert stated == [pytest.approx(metric.chance(kind)) for kind in types]


def test_the_table_of_distances_has_every_distance() -> None:
    assert [line[0] for line in _table("name")[1:]] == [f"`{name}`" for name in (*DISTANCES, GIVEN)]


def test_the_table_of_columns_has_every_column_of_the_files() -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, IMAGES)
    trials = labelled(observe(rng, minds, {"2-choose-1": 60, "3-choose-1": 60}, 2))
    plain = [outcomes_of(name, "mse", trials, model(rng, minds, 1.0)) for name in ("a", "b")]
    nats, chances = np.full(len(trials), -1, np.float32), np.full(trials.comparisons, 0.5, np.float32)
    scored = [replace(each, log_likelihood=nats, probability=chances) for each in plain]
    space = EmbeddingTable.of([str(name) for name in trials.images], minds, EmbeddingInfo("minds", minds.shape[1]))
    settings = Settings(replicates=100, baseline="a", consistency=True)
    scored[0] = replace(scored[0], checks=(Check("2-choose-1", 9, 0.7, 0.7, 0.6, 0.5),))
    network = Lineage("network")
    scored[0] = replace(scored[0], lineage=network)
    scored[1] = replace(scored[1], lineage=replace(network, untrained=0))
    (record, *_) = records(build_report(scored, settings, measures=[Ratio(space)]))
    columns = [name for line in _table("column")[1:] for name in re.findall(r"`(\w+)`", line[0])]
    assert len(columns) == len(set(columns))
    assert set(columns) == set(record)


def test_the_page_states_the_limits_of_small_samples() -> None:
    assert f"at least {ENOUGH:,} judgments" in PAGE
    assert f"fewer than {FEW} clusters or images" in PAGE

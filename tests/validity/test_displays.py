"""Displays: what a table of trials shows, and the credit of any selection, as ``score`` gives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.scoring.scoring import score_vectors
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.tables.outcomes import read_outcomes
from simtool.tables.trials import Trials
from simtool.validity.displays import Displays
from simtool.validity.distances import ValidityError, distances_of
from tests.scored import latent, observe

MIXED = {"8-rank-2": 9, "2-choose-1": 7, "5-choose-2": 6, "3-odd-1": 8, "5-odd-1": 5}


def mixed(seed: int) -> Trials:
    """Trials of every design, in random order."""
    rng = np.random.default_rng(seed)
    trials = observe(rng, latent(rng, 12), MIXED)
    return trials.take(rng.permutation(len(trials)))


@given(st.integers(0, 1000), st.sampled_from(["mse", "cosine", "manhattan"]), st.booleans())
@settings(max_examples=12, deadline=None)
def test_credit_is_that_of_score_for_every_design_also_with_ties(seed: int, distance: str, tied: bool) -> None:
    trials = mixed(seed)
    rng = np.random.default_rng(seed)
    vectors = rng.integers(1, 3, (12, 2)).astype(np.float32) if tied else rng.normal(size=(12, 6)).astype(np.float32)
    table = EmbeddingTable.of(trials.images, vectors, EmbeddingInfo("m", vectors.shape[1]))
    displays = Displays(trials)
    shuffled = [part.rule.draw(np.zeros(part.first.shape), rng) for part in displays.parts]
    for selections in (displays.selections(trials), shuffled):
        (expected,) = score_vectors(vectors, displays.with_selections(selections), [distance])
        credit = displays.credit(displays.compared(selections), distances_of(table, distance, displays))
        np.testing.assert_array_equal(credit, expected.credit)


def test_other_selections_change_nothing_else() -> None:
    trials = mixed(0)
    displays = Displays(trials)
    same = displays.with_selections(displays.selections(trials))
    np.testing.assert_array_equal(same.selected, trials.selected)
    drawn = [part.rule.draw(np.zeros(part.first.shape), np.random.default_rng(0)) for part in displays.parts]
    other = displays.with_selections(drawn)
    other.validate()
    assert (other.selected != trials.selected).any()
    assert other.references is trials.references


def test_distances_between_points_are_euclidean() -> None:
    displays = Displays(mixed(1))
    points = np.random.default_rng(1).normal(size=(12, 3))
    for part, found in zip(displays.parts, displays.between(points), strict=True):
        np.testing.assert_allclose(found, np.linalg.norm(points[part.first] - points[part.second], axis=-1))


def pairs_of(trials: Trials, symmetric: bool, missing: int = 0) -> DistanceTable:
    count = len(trials.images)
    first, second = np.triu_indices(count, 1) if symmetric else np.nonzero(~np.eye(count, dtype=bool))
    values = np.random.default_rng(0).random(first.size)
    kept = slice(missing, None)
    pairs = Pairs(trials.images, first.astype(np.int32)[kept], second.astype(np.int32)[kept], values[kept])
    return DistanceTable.of(pairs, DistanceInfo("d", symmetric=symmetric))


def test_a_distance_with_a_direction_begins_at_the_query() -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 9), {"4-rank-2": 5})
    table = pairs_of(trials, symmetric=False)
    value = {
        (int(one), int(other)): float(distance)
        for one, other, distance in zip(table.first, table.second, table.distance, strict=True)
    }
    (found,) = distances_of(table, "given", Displays(trials))
    expected = [
        [value[int(query), int(reference)] for reference in references]
        for query, references in zip(trials.query, trials.references, strict=True)
    ]
    np.testing.assert_array_equal(found, expected)


def test_tables_that_cannot_be_used_are_refused() -> None:
    trials = mixed(0)
    with pytest.raises(ValidityError, match="d: its distances have a direction"):
        distances_of(pairs_of(trials, symmetric=False), "given", Displays(trials))
    with pytest.raises(ValidityError, match=r"d: lacks the distances of [\d,]+ pairs that the trials show"):
        distances_of(pairs_of(trials, symmetric=True, missing=30), "given", Displays(trials))


def test_images_that_no_trial_shows_are_not_measured() -> None:
    trials = mixed(0)
    more = [*trials.images, "unused"]
    vectors = np.random.default_rng(0).normal(size=(13, 2))
    vectors[-1] = 0  # it has no cosine
    table = EmbeddingTable.of(more, vectors, EmbeddingInfo("m", 2))
    assert len(distances_of(table, "cosine", Displays(trials))) == len(MIXED)


def test_outcomes_in_memory_can_be_credited(tmp_path: Path) -> None:
    trials = mixed(3)
    vectors = np.random.default_rng(3).normal(size=(12, 4))
    (held,) = read_outcomes(score_vectors(vectors, trials, ["euclidean"]))
    displays = Displays(held.trials)
    compared = displays.compared(displays.selections(held.trials))
    np.testing.assert_array_equal(displays.credit(compared, displays.between(vectors)), held.credit)

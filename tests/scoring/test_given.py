"""Distances that a table gives: the same credit as a slow look-up, whatever the order of the table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.scoring.distances import SimilarityError
from simtool.scoring.given import score_distances
from simtool.scoring.plan import Plan
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.files import TableError
from simtool.tables.trials import Trials
from tests.scored import outcomes_of
from tests.scoring.judged import some_trials


def matrix(count: int, symmetric: bool, seed: int = 0) -> NDArray[np.float64]:
    """Few different distances, so that many are equal: (count, count)."""
    found = np.random.default_rng(seed).integers(0, 5, (count, count)).astype(float)
    found = np.triu(found) + np.triu(found).T if symmetric else found
    np.fill_diagonal(found, 0)
    return found


def table_of(
    trials: Trials, distances: NDArray[np.float64], symmetric: bool, left_out: int = 0, seed: int = 0
) -> DistanceTable:
    """All pairs but a few, in any order."""
    rng = np.random.default_rng(seed)
    first, second = np.nonzero(np.triu(np.ones_like(distances), 1) if symmetric else 1 - np.eye(len(distances)))
    order = rng.permutation(first.size)[left_out:]
    mixed = rng.permutation(len(distances))
    one, two = (np.argsort(mixed)[each[order]].astype(np.int32) for each in (first, second))
    pairs = Pairs(trials.images[mixed], one, two, distances[first[order], second[order]])
    return DistanceTable.of(pairs, DistanceInfo("m", symmetric))


@pytest.mark.parametrize("images", [40, 300])
@pytest.mark.parametrize("symmetric", [True, False])
def test_credit_is_that_of_a_look_up_in_a_matrix(images: int, symmetric: bool) -> None:
    trials = some_trials(5000, images=images)
    distances, plan = matrix(images, symmetric), Plan.of(trials)
    assert plan.numbers.dense == (images == 40)
    (found,) = score_distances(table_of(trials, distances, symmetric), plan)
    expected = outcomes_of("m", "given", trials, distances)
    np.testing.assert_array_equal(found.credit, expected.credit)
    assert (found.credit == 0.5).any()
    assert (found.model, found.distance) == ("m", "given")


@pytest.mark.parametrize("symmetric", [True, False])
def test_odd_one_out_judgments_take_each_remaining_image_as_the_anchor(symmetric: bool) -> None:
    rng = np.random.default_rng(0)
    shown = np.array([rng.permutation(12)[:4] for _ in range(300)])
    shown[150:, 3] = -1
    kinds = ["4-odd-1"] * 150 + ["3-odd-1"] * 150
    names = [f"image {number}" for number in range(12)]
    trials = Trials.build(names, kinds, np.full(300, -1), shown, rng.integers(0, 3, (300, 1)))
    distances = matrix(12, symmetric)
    (found,) = score_distances(table_of(trials, distances, symmetric), Plan.of(trials))
    np.testing.assert_array_equal(found.credit, outcomes_of("m", "given", trials, distances).credit)


@given(seed=st.integers(0, 1000), left_out=st.integers(1, 40), symmetric=st.booleans())
@settings(max_examples=20, deadline=None)
def test_missing_pairs_are_refused_counted_and_named(seed: int, left_out: int, symmetric: bool) -> None:
    trials = some_trials(30, images=12, seed=seed)
    table = table_of(trials, matrix(12, symmetric, seed), symmetric, left_out, seed)
    word = "and" if symmetric else "to"
    held = {(table.image_id[one], table.image_id[two]) for one, two in zip(table.first, table.second, strict=True)}
    compared = Comparisons.of(trials)
    needed = {
        (trials.images[anchor], trials.images[end])
        for ends in (compared.near, compared.far)
        for anchor, end in zip(compared.anchor, ends, strict=True)
    }
    missing = {pair for pair in needed if pair not in held and not (symmetric and pair[::-1] in held)}
    missing = {tuple(sorted(pair)) for pair in missing} if symmetric else missing
    if not missing:
        score_distances(table, Plan.of(trials))
        return
    with pytest.raises(SimilarityError) as refused:
        score_distances(table, Plan.of(trials))
    said = str(refused.value)
    assert f"m: lacks {len(missing)} pair" in said
    spelled = {f" {word} ".join(each) for pair in missing for each in ((pair, pair[::-1]) if symmetric else (pair,))}
    assert said.partition("compare: ")[2].split(", ")[0] in spelled


def test_the_distance_begins_at_the_anchor() -> None:
    trials = Trials.build(list("abc"), ["2-choose-1"], np.array([2]), np.array([[0, 1]]), np.array([[0]]))
    first, second = np.array([2, 2, 0, 1], np.int32), np.array([0, 1, 2, 2], np.int32)
    pairs = Pairs(trials.images, first, second, np.array([1.0, 2.0, 9.0, 3.0]))
    (found,) = score_distances(DistanceTable.of(pairs, DistanceInfo("m", symmetric=False)), Plan.of(trials))
    assert found.credit.tolist() == [1]


def test_an_image_that_the_table_does_not_know_is_named() -> None:
    trials = some_trials(20, images=12)
    table = table_of(trials, matrix(12, True), True)
    keep = table.image_id[table.first] != trials.images[0]
    keep &= table.image_id[table.second] != trials.images[0]
    names = np.where(table.image_id == trials.images[0], "another", table.image_id)
    some = Pairs(names, table.first[keep], table.second[keep], table.distance[keep])
    with pytest.raises(TableError, match=rf"lacks images that are needed \(1 of 12\): {trials.images[0]}"):
        score_distances(DistanceTable.of(some, DistanceInfo("m")), Plan.of(trials))


def test_numbers_are_compared_as_they_are() -> None:
    trials = Trials.build(
        list("abc"), ["2-choose-1"] * 2, np.array([0, 0]), np.array([[1, 2]] * 2), np.array([[0], [1]])
    )
    for near, far in ((1.0, np.nextafter(1.0, 2)), (-1e308, 1e308), (5e-324, 1e-323)):
        pairs = Pairs(trials.images, np.array([0, 0], np.int32), np.array([1, 2], np.int32), np.array([near, far]))
        (found,) = score_distances(DistanceTable.of(pairs, DistanceInfo("m", measure="x")), Plan.of(trials))
        assert found.credit.tolist() == [1, 0]

"""The multiway variance against its definition, and against known components."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.analysis.inference.intervals import NOTHING
from simtool.analysis.inference.multiway import Covariance, Dependence, covariance
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values


def _observations(rng: np.random.Generator, count: int, clusters: int, images: int) -> Observations:
    triples = np.array([rng.permutation(images)[:3] for _ in range(count)])
    return Observations(np.arange(count), rng.integers(0, clusters, count), triples, clusters, images)


def _shared(observations: Observations) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N, N) whether two observations share the cluster; whether they share an image that not all of them show."""
    cluster = observations.cluster[:, None] == observations.cluster[None]
    shows = (observations.images[:, :, None] == np.arange(observations.image_count)).any(axis=1)
    varying = shows[:, ~shows.all(axis=0)].astype(int)
    return cluster, varying @ varying.T > 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 60), clusters=st.integers(2, 9), images=st.integers(4, 12))
def test_every_pair_that_shares_a_cluster_or_an_image_counts_once(
    seed: int, count: int, clusters: int, images: int
) -> None:
    rng = np.random.default_rng(seed)
    observations = _observations(rng, count, clusters, images)
    values = rng.integers(0, 3, (count, 2)) / 2
    rows = np.sort(rng.permutation(count)[: rng.integers(2, count + 1)])
    weight = rng.uniform(0.5, 3, len(rows)) if seed % 2 else np.ones(len(rows))

    part, share = observations.take(rows), weight / weight.sum()
    found = covariance(part, Values.of(list(values[rows].T)), weight if seed % 2 else None)

    cluster, image = _shared(part)
    influence = (values[rows] - share @ values[rows]) * share[:, None]
    for estimate, pairs in (
        (found.multiway, cluster | image),
        (found.one_way, cluster),
        (found.unclustered, np.eye(len(rows), dtype=bool)),
    ):
        free = 1 - share @ pairs @ share
        expected = influence.T @ pairs @ influence / free if free > 1e-9 else np.zeros((2, 2))
        assert estimate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_strata_that_are_computed_together_have_the_covariances_of_each_alone(weighted: bool) -> None:
    rng = np.random.default_rng(5)
    observations = _observations(rng, 300, 7, 12)
    cell = rng.integers(0, 4, 300)
    values = Values.of(list(rng.integers(0, 3, (3, 300)) / (3 if weighted else 2)))
    weight = rng.uniform(0.5, 3, 300) if weighted else None
    pooled = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]], bool)
    together = Dependence(observations).covariances(values, cell, pooled, weight)
    for found, cells in zip(together, pooled.T, strict=True):
        rows = np.flatnonzero(cells[cell])
        own = None if weight is None else weight[rows]
        alone = covariance(observations.take(rows), values.take(rows), own)
        for name in ("multiway", "one_way", "unclustered"):
            assert getattr(found, name) == pytest.approx(getattr(alone, name), abs=1e-15, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_column_that_is_constant_in_a_stratum_has_no_error_there(weighted: bool) -> None:
    rng = np.random.default_rng(6)
    observations = _observations(rng, 4000, 9, 40)
    cell = np.arange(4000) % 2
    values = Values.of([np.where(cell, 0.5, rng.integers(0, 3, 4000) / 2)])
    weight = rng.uniform(0.5, 3, 4000) if weighted else None
    varying, constant = Dependence(observations).covariances(values, cell, np.eye(2, dtype=bool), weight)
    assert varying.standard_error(np.ones(1)) > 1e-3
    assert constant.standard_error(np.ones(1)) < NOTHING


def test_known_effects_of_people_images_and_chance_are_recovered() -> None:
    rng = np.random.default_rng(1)
    count, clusters, images, draws = 600, 20, 30, 400
    observations = _observations(rng, count, clusters, images)
    person, image, chance = 0.3, 0.2, 0.5
    values = (
        rng.normal(scale=person, size=(clusters, draws))[observations.cluster]
        + rng.normal(scale=image, size=(images, draws))[observations.images].sum(axis=1)
        + rng.normal(scale=chance, size=(count, draws))
    )
    per_cluster, per_image = np.bincount(observations.cluster), np.bincount(observations.images.ravel())
    # Var(mean) of the additive model, given who judged what.
    truth = (person**2 * (per_cluster**2).sum() + image**2 * (per_image**2).sum()) / count**2 + chance**2 / count
    estimates = np.diag(covariance(observations, Values(values)).multiway)
    assert estimates.mean() == pytest.approx(truth, rel=0.06)
    assert values.mean(axis=0).var() == pytest.approx(truth, rel=0.2)


def test_a_query_that_all_trials_show_does_not_hide_how_references_differ() -> None:
    rng = np.random.default_rng(2)
    count, images, draws = 400, 20, 300
    pairs = np.array([rng.permutation(images)[:2] for _ in range(count)])
    triples = np.column_stack([np.full(count, images), pairs])
    observations = Observations(np.arange(count), np.arange(count), triples, count, images + 1)
    values = rng.normal(size=(images, draws))[pairs].sum(axis=1) + rng.normal(size=(count, draws))
    truth = (np.bincount(pairs.ravel()) ** 2).sum() / count**2 + 1 / count
    estimates = np.diag(covariance(observations, Values(values)).multiway)
    assert estimates.mean() == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("clusters", [2, 7])
def test_whole_weights_are_rows_repeated_within_their_cluster(clusters: int) -> None:
    rng = np.random.default_rng(4)
    observations = _observations(rng, 60, clusters, 9)
    values, weight = rng.integers(0, 3, (60, 2)) / 2, rng.integers(1, 5, 60)
    repeated = np.repeat(np.arange(60), weight)
    weighted = covariance(observations, Values(values), weight.astype(float))
    expanded = covariance(observations.take(repeated), Values(values[repeated]))
    assert weighted.multiway == pytest.approx(expanded.multiway)
    assert weighted.one_way == pytest.approx(expanded.one_way)


def test_an_estimate_below_its_parts_is_raised_to_them() -> None:
    found = Covariance(np.array([[-1.0]]), np.array([[4.0]]), np.array([[1.0]]))
    assert found.standard_error(np.array([1.0])) == 2.0


def test_a_difference_of_equal_columns_has_no_error() -> None:
    rng = np.random.default_rng(3)
    observations = _observations(rng, 50, 5, 10)
    values = np.repeat(rng.integers(0, 2, (50, 1)).astype(float), 2, axis=1)
    found = covariance(observations, Values(values))
    assert found.standard_error(np.array([1.0, -1.0])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_observations_have_no_variance(count: int) -> None:
    observations = Observations(np.zeros(count, int), np.zeros(count, int), np.tile([0, 1, 2], (count, 1)), 1, 3)
    found = covariance(observations, Values(np.ones((count, 2))))
    for estimate in (found.multiway, found.one_way, found.unclustered):
        assert estimate.tolist() == [[0, 0], [0, 0]]

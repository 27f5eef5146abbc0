"""Replicates that resample clusters and images together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.inference import bootstrap
from simtool.analysis.inference.bootstrap import Replicates, Sampled
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values


def _study(seed: int = 0, count: int = 400) -> tuple[Observations, NDArray[np.intp], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    triples = np.array([rng.permutation(25)[:3] for _ in range(count)])
    observations = Observations(np.arange(count), rng.integers(0, 30, count), triples, 30, 25)
    return observations, rng.integers(0, 2, count), (rng.integers(0, 3, (count, 4)) / 2).astype(np.float32)


def resample(
    observations: Observations,
    cell: NDArray[np.integer],
    values: NDArray[np.float32],
    replicates: int,
    seed: int,
    weight: NDArray[np.float64] | None = None,
) -> Replicates:
    sample = Sampled(observations, cell, Values.of(list(values.T)), weight)
    with ThreadPoolExecutor(2) as pool:
        (found,) = bootstrap.resample([sample], replicates, seed, pool)
    return found


def test_an_observation_weighs_the_product_of_what_it_shares() -> None:
    observations, cell, values = _study()
    drawn = resample(observations, cell, values, 4000, seed=1).means()[0]
    influence = (values[:, 0] - values[:, 0].mean()) / len(values)
    shared = (observations.images[:, None, :, None] == observations.images[None, :, None, :]).sum(axis=(2, 3))
    shared += observations.cluster[:, None] == observations.cluster[None]
    # Poisson(1) weights have E w^2 = 2, so products that share m factors covary by 2^m - 1.
    assert drawn.var() == pytest.approx(influence @ (2.0**shared - 1) @ influence, rel=0.15)
    assert drawn.mean() == pytest.approx(values[:, 0].mean(), abs=4 * drawn.std() / 4000**0.5 + 0.01)


def test_a_seed_gives_the_same_replicates_and_another_seed_others() -> None:
    observations, cell, values = _study()
    first, again, other = (resample(observations, cell, values, 100, seed).means() for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("block", "step", "cluster_block"), [(1, 40, 3), (7, 7, 1), (10_000, 100, 10_000), (64, 10_000, 16)]
)
def test_block_sizes_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int, step: int, cluster_block: int) -> None:
    observations, cell, values = _study()
    usual = resample(observations, cell, values, 100, seed=0)
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    monkeypatch.setattr(bootstrap, "STEP", step)
    monkeypatch.setattr(bootstrap, "CLUSTER_BLOCK", cluster_block)
    blocked = resample(observations, cell, values, 100, seed=0)
    assert np.array_equal(usual.sums, blocked.sums)
    assert np.array_equal(usual.weights, blocked.weights)


def test_a_replicate_is_the_sum_of_products_of_numpys_poisson_weights() -> None:
    observations, cell, values = _study()
    clusters, images = (
        np.random.default_rng([7, factor]).poisson(1.0, (count, 50)) for factor, count in ((0, 30), (1, 25))
    )
    weights = clusters[observations.cluster] * images[observations.images].prod(axis=1)
    found = resample(observations, cell, values, 50, seed=7)
    for group in (0, 1):
        inside = cell == group
        assert np.array_equal(found.sums[group], values[inside].T.astype(float) @ weights[inside])
        assert np.array_equal(found.weights[group], weights[inside].sum(axis=0))


def test_samples_share_their_weights_and_report_their_progress() -> None:
    observations, cell, values = _study()
    half = np.flatnonzero(cell)
    whole = Sampled(observations, cell, Values.of(list(values.T)))
    part = Sampled(observations.take(half), np.zeros(half.size, int), Values.of(list(values[half].T)))
    done: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        first, second = bootstrap.resample([whole, part], 100, 3, pool, done.append)
    assert np.array_equal(first.sums[1], second.sums[0])
    assert sum(done) == len(observations) + half.size


def test_the_order_of_rows_and_the_number_of_models_change_nothing() -> None:
    observations, cell, values = _study()
    order = np.random.default_rng(9).permutation(len(observations))
    usual = resample(observations, cell, values, 100, seed=0).sums
    moved = resample(observations.take(order), cell[order], values[order], 100, seed=0).sums
    alone = resample(observations, cell, values[:, 2:3], 100, seed=0).sums
    assert np.array_equal(usual, moved)
    assert np.array_equal(usual[:, 2:3], alone)


def test_cells_pool_to_the_whole() -> None:
    observations, cell, values = _study()
    whole = resample(observations, np.zeros_like(cell), values, 100, seed=0).means()
    parts = resample(observations, cell, values, 100, seed=0)
    assert np.array_equal(parts.means(), whole)
    assert not np.array_equal(parts.means(np.array([0])), whole)


def test_replicates_that_drew_nothing_are_left_out() -> None:
    observations, cell, values = _study(count=1)
    drawn = resample(observations, cell, values, 200, seed=0).means()
    assert 0 < drawn.shape[1] < 200
    assert np.array_equal(drawn, np.repeat(values.T, drawn.shape[1], axis=1))


def test_whole_weights_are_rows_repeated() -> None:
    observations, cell, values = _study()
    weight = np.random.default_rng(2).integers(0, 4, len(observations))
    rows = np.repeat(np.arange(len(observations)), weight)
    weighted = resample(observations, cell, values, 100, seed=0, weight=weight.astype(float))
    repeated = resample(observations.take(rows), cell[rows], values[rows], 100, seed=0)
    assert weighted.means() == pytest.approx(repeated.means())


def test_no_cells_have_no_replicates() -> None:
    observations, cell, values = _study()
    assert resample(observations, cell, values, 50, seed=0).means(np.zeros(0, np.intp)).shape == (4, 0)

"""Means within strata, with standard errors and replicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from simtool.analysis.inference.estimation import estimate
from simtool.analysis.inference.multiway import SharedClusters
from simtool.analysis.inference.observations import Observations


def _observations(count: int = 200) -> tuple[Observations, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    triples = np.array([rng.permutation(20)[:3] for _ in range(count)])
    observations = Observations(np.arange(count), rng.integers(-1, 12, count), triples, 12, 20)
    return observations, (rng.integers(0, 3, (count, 2)) / 2).astype(np.float32)


def test_all_observations_count_in_means_and_those_of_known_clusters_in_errors() -> None:
    observations, values = _observations()
    known = observations.cluster >= 0
    everything = np.ones(len(values), bool)
    (found,) = estimate(observations, values, [everything], 50, seed=0)
    (alone,) = estimate(observations.take(known), values[known], [everything[known]], 50, seed=0)
    assert 0 < known.sum() < len(known)
    assert found.mean.tolist() == values.mean(axis=0, dtype=float).tolist()
    assert np.array_equal(found.covariance.multiway, alone.covariance.multiway)
    assert np.array_equal(found.replicates, alone.replicates)
    assert found.effective_size == alone.effective_size == 12


def test_a_weight_of_zero_removes_an_observation() -> None:
    observations, values = _observations()
    weight = np.arange(len(values)) % 3 / 1.0
    some = weight > 0
    everything = np.ones(len(values), bool)
    (found,) = estimate(observations, values, [everything], 50, 0, weight)
    (alone,) = estimate(observations.take(some), values[some], [everything[some]], 50, 0, weight[some])
    assert found.mean == pytest.approx(np.average(values, axis=0, weights=weight))
    assert found.mean == pytest.approx(alone.mean)
    assert np.array_equal(found.replicates, alone.replicates)


def test_both_computations_use_one_thread_of_blas_so_that_numbers_repeat_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[int] = set()
    usual = SharedClusters.covariance

    def covariance(*arguments: Any) -> Any:
        threads.update(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return usual(*arguments)

    monkeypatch.setattr(SharedClusters, "covariance", covariance)
    observations, values = _observations()
    estimate(observations, values, [np.ones(len(values), bool)] * 3, 100, seed=0)
    assert threads == {1}

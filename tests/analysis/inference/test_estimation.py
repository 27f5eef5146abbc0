"""Means within strata, with standard errors and replicates."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.segments import Influence
from simtool.analysis.inference.values import Values


def _observations(count: int = 200) -> tuple[Observations, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    triples = np.array([rng.permutation(20)[:3] for _ in range(count)])
    observations = Observations(np.arange(count), rng.integers(-1, 12, count), triples, 12, 20)
    return observations, (rng.integers(0, 3, (count, 2)) / 2).astype(np.float32)


def _estimated(
    observations: Observations, values: NDArray[np.float32], weight: NDArray[np.float64] | None = None
) -> Estimates:
    everything = np.ones(len(values), bool)
    ((found,),) = estimate([Measured(observations, Values.of(list(values.T)), [everything], weight)], 50, seed=0)
    return found


def test_all_observations_count_in_means_and_those_of_known_clusters_in_errors() -> None:
    observations, values = _observations()
    known = observations.cluster >= 0
    everything = np.ones(len(values), bool)
    found, alone = (_estimated(observations.take(rows), values[rows]) for rows in (everything, known))
    assert 0 < known.sum() < len(known)
    assert found.mean.tolist() == values.mean(axis=0, dtype=float).tolist()
    assert np.array_equal(found.covariance.multiway, alone.covariance.multiway)
    assert np.array_equal(found.replicates, alone.replicates)
    assert found.effective_size == alone.effective_size == 12


def test_a_weight_of_zero_removes_an_observation() -> None:
    observations, values = _observations()
    weight = np.arange(len(values)) % 3 / 1.0
    some = weight > 0
    found = _estimated(observations, values, weight)
    alone = _estimated(observations.take(some), values[some], weight[some])
    assert found.mean == pytest.approx(np.average(values, axis=0, weights=weight))
    assert found.mean == pytest.approx(alone.mean)
    assert np.array_equal(found.replicates, alone.replicates)


def test_both_computations_use_one_thread_of_blas_so_that_numbers_repeat_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[int] = set()
    usual = Influence.products_of_pairs

    def products_of_pairs(*arguments: Any) -> Any:
        threads.update(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return usual(*arguments)

    monkeypatch.setattr(Influence, "products_of_pairs", products_of_pairs)
    _estimated(*_observations())
    assert threads == {1}


def test_strata_of_the_same_observations_share_their_estimates() -> None:
    observations, values = _observations()
    everything, half = np.ones(len(values), bool), np.arange(len(values)) % 2 == 0
    measured = Measured(observations, Values.of(list(values.T)), [everything, half, everything, ~half])
    ((first, _, again, _),) = estimate([measured], 50, seed=0)
    assert first.covariance is again.covariance
    assert np.array_equal(first.replicates, again.replicates)


def test_the_progress_ends_at_the_number_that_it_states() -> None:
    observations, values = _observations()
    measured = Measured(observations, Values.of(list(values.T)), [np.arange(len(values)) % 3 > 0])
    stated: list[int] = []
    done: list[int] = []

    @contextmanager
    def progress(total: int) -> Iterator[Callable[[int], object]]:
        stated.append(total)
        yield done.append

    estimate([measured, measured], 50, 0, progress)
    assert stated == [sum(done)]


def test_memory_grows_with_the_observations_by_few_bytes_and_not_with_the_groups() -> None:
    rng = np.random.default_rng(0)
    count, models, clusters, images = 100_000, 8, 50, 9000
    shown = rng.integers(0, images // 3, (count, 3)) + np.array([0, images // 3, 2 * images // 3])
    who = rng.integers(0, clusters, count).astype(np.int32)
    trial = np.arange(count, dtype=np.int32)
    observations = Observations(trial, who, shown.astype(np.int32), clusters, images)
    values = (rng.integers(0, 3, (count, models)) / 2).astype(np.float32)
    measured = Measured(observations, Values.of(list(values.T)), [np.ones(count, bool)] * 2)
    estimate([measured], 100, seed=0)  # compiled before it is measured
    tracemalloc.start()
    estimate([measured], 100, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250 * count  # one float64 matrix of sums over groups would have 8 * models * 3 * count bytes

"""Intervals of functions of means."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from simtool.analysis.inference.linearised import Linearised
from simtool.analysis.inference.multiway import covariance
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values


def _observations(rng: np.random.Generator, count: int = 400) -> Observations:
    triples = np.array([rng.permutation(25)[:3] for _ in range(count)])
    return Observations(np.arange(count), rng.integers(0, 12, count), triples, 12, 25)


def test_the_interval_of_a_mean_is_students_with_the_multiway_standard_error() -> None:
    rng = np.random.default_rng(0)
    observations, weight = _observations(rng), rng.uniform(0.5, 2, 400)
    columns = [rng.random(400) for _ in range(37)]  # more than are computed at a time

    found = Linearised(observations, weight, 0.9).half_widths(columns)

    error = [covariance(observations, Values.of([column]), weight).standard_error(np.ones(1)) for column in columns]
    assert found == pytest.approx(np.array(error) * t.ppf(0.95, 12 - 1))


def test_observations_of_unknown_people_do_not_change_the_standard_error() -> None:
    rng = np.random.default_rng(1)
    observations, values = _observations(rng), rng.random(400)
    known = np.arange(400) < 300
    unknown = Observations(observations.trial, np.where(known, observations.cluster, -1), observations.images, 12, 25)
    (found,) = Linearised(unknown, None, 0.95).half_widths([values])
    (expected,) = Linearised(observations.take(known), None, 0.95).half_widths([values[known]])
    assert found == expected


def test_a_ratio_of_means_is_covered_as_often_as_promised() -> None:
    rng = np.random.default_rng(2)
    truth, held = 0.5 / 2.0, 0
    for _ in range(200):
        person, image = rng.normal(0, 0.2, 30), rng.normal(0, 0.2, 40)
        triples = np.argsort(rng.random((500, 40)), axis=1)[:, :3]
        cluster = rng.integers(0, 30, 500)
        shared = person[cluster] + image[triples].sum(axis=1)
        above, below = 0.5 + shared + rng.normal(size=500), 2.0 + shared + rng.normal(size=500)
        ratio = above.mean() / below.mean()
        influence = (above - ratio * below) / below.mean()
        observations = Observations(np.arange(500), cluster, triples, 30, 40)
        (half,) = Linearised(observations, None, 0.95).half_widths([influence])
        assert half is not None
        held += abs(ratio - truth) <= half
    assert 0.9 <= held / 200 <= 0.99


@pytest.mark.parametrize("cluster", [np.zeros(400, int), np.full(400, -1)])
def test_without_two_known_people_there_is_no_interval(cluster: NDArray[np.int64]) -> None:
    rng = np.random.default_rng(3)
    observations = _observations(rng)
    alone = Observations(observations.trial, cluster, observations.images, 1, 25)
    assert Linearised(alone, None, 0.95).half_widths([rng.random(400)]) == [None]


def test_what_does_not_vary_has_no_interval() -> None:
    observations = _observations(np.random.default_rng(4))
    assert Linearised(observations, None, 0.95).half_widths([np.ones(400)]) == [None]

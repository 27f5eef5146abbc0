"""Intervals hold the truth as often as they promise, on planted truths."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.inference import Estimates, Observations, SharedClusters, resample

DIMENSIONS = 6
FAMILIES = np.random.default_rng(77).normal(size=(4, DIMENSIONS))


def _draw(
    rng: np.random.Generator, images: int, people: int, trials: int, displays: int
) -> tuple[Observations, NDArray[np.float32]]:
    """New people judge new images, 2-choose-1, some displays several times; two models know them up to noise."""
    minds = FAMILIES[rng.integers(0, 4, images)] + rng.normal(size=(images, DIMENSIONS))
    taste = np.exp(rng.normal(scale=0.5, size=(people, DIMENSIONS)))
    unit = rng.integers(0, people, trials)
    shown = np.argsort(rng.random((displays, images)), axis=1)[:, :3][rng.integers(0, displays, trials)]
    apart = (minds[shown[:, 1:]] - minds[shown[:, :1]]) ** 2
    utility = rng.gumbel(size=(trials, 2)) - 2 * np.sqrt((apart * taste[unit][:, None]).sum(axis=2))
    swap = utility[:, 1] > utility[:, 0]
    shown[swap, 1:] = shown[swap, :0:-1]
    credits = []
    for noise in (0.5, 1.5):
        model = minds + rng.normal(scale=noise, size=minds.shape)
        away = ((model[shown[:, 1:]] - model[shown[:, :1]]) ** 2).sum(axis=2)
        credits.append(away[:, 0] < away[:, 1])
    return Observations(np.arange(trials), unit, shown, people, images), np.column_stack(credits).astype(np.float32)


@pytest.mark.slow
def test_intervals_hold_the_truth_about_as_often_as_they_promise_and_binomial_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    means, intervals, gaps, binomial = [], [], [], []
    for _ in range(150):
        observations, credits = _draw(rng, images=100, people=50, trials=2500, displays=1000)
        rows, stratum = np.arange(len(credits)), np.zeros(len(credits), np.intp)
        estimates = Estimates(
            mean=credits.mean(axis=0, dtype=np.float64),
            covariance=SharedClusters(observations).covariance(rows, credits),
            replicates=resample(observations, stratum, credits, 300, seed=0).means(),
            independent=observations.independent(rows),
        )
        means.append(estimates.mean)
        intervals.append([estimates.interval(column, 0.95) for column in (0, 1)])
        gap = estimates.difference(0, 1, 0.95)
        assert gap is not None
        gaps.append(gap)
        binomial.append(1.96 * np.sqrt(estimates.mean * (1 - estimates.mean) / len(credits)))
    # People and images are drawn anew each time, so the mean over draws is the truth about all of them.
    truth = np.mean(means, axis=0)
    for column in (0, 1):
        held = np.mean([each[column].low <= truth[column] <= each[column].high for each in intervals])
        assert 0.88 <= held <= 0.99
    assert 0.86 <= np.mean([gap.low <= truth[0] - truth[1] <= gap.high for gap in gaps]) <= 0.99
    assert np.mean(np.abs(means - truth) <= binomial) < 0.75

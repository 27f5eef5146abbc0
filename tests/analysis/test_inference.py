"""Coverage of intervals in simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values

DIMENSIONS = 6
FAMILIES = np.random.default_rng(77).normal(size=(4, DIMENSIONS))


def _draw(
    rng: np.random.Generator, images: int, participants: int, trials: int, displays: int
) -> tuple[Observations, NDArray[np.float32]]:
    """New people judge new images, 2-choose-1, some displays several times. Two models know the images up to noise."""
    minds = FAMILIES[rng.integers(0, 4, images)] + rng.normal(size=(images, DIMENSIONS))
    taste = np.exp(rng.normal(scale=0.5, size=(participants, DIMENSIONS)))
    cluster = rng.integers(0, participants, trials)
    shown = np.argsort(rng.random((displays, images)), axis=1)[:, :3][rng.integers(0, displays, trials)]
    apart = (minds[shown[:, 1:]] - minds[shown[:, :1]]) ** 2
    utility = rng.gumbel(size=(trials, 2)) - 2 * np.sqrt((apart * taste[cluster][:, None]).sum(axis=2))
    swap = utility[:, 1] > utility[:, 0]
    shown[swap, 1:] = shown[swap, :0:-1]
    credits = []
    for noise in (0.5, 1.5):
        model = minds + rng.normal(scale=noise, size=minds.shape)
        away = ((model[shown[:, 1:]] - model[shown[:, :1]]) ** 2).sum(axis=2)
        credits.append(away[:, 0] < away[:, 1])
    return Observations(np.arange(trials), cluster, shown, participants, images), np.column_stack(credits).astype(
        np.float32
    )


@pytest.mark.slow
def test_intervals_hold_the_truth_about_as_often_as_they_promise_and_binomial_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    means, intervals, gaps, binomial = [], [], [], []
    for _ in range(150):
        observations, credits = _draw(rng, images=100, participants=50, trials=2500, displays=1000)
        everything = [np.ones(len(credits), bool)]
        ((estimates,),) = estimate([Measured(observations, Values.of(list(credits.T)), everything)], 300, seed=0)
        means.append(estimates.mean)
        intervals.append([estimates.interval(column, 0.95) for column in (0, 1)])
        gap = estimates.difference(0, 1, 0.95)
        assert gap.low is not None
        assert gap.high is not None
        gaps.append((gap.low, gap.high))
        binomial.append(1.96 * np.sqrt(estimates.mean * (1 - estimates.mean) / len(credits)))
    # Each draw has new people and images, so the mean over draws is the truth about all of them.
    truth = np.mean(means, axis=0)
    for column in (0, 1):
        held = np.mean([each[column][0] <= truth[column] <= each[column][1] for each in intervals])
        assert 0.88 <= held <= 0.99
    assert 0.86 <= np.mean([low <= truth[0] - truth[1] <= high for low, high in gaps]) <= 0.99
    assert np.mean(np.abs(means - truth) <= binomial) < 0.75

"""Replicates of accuracies that resample people and images together.

Owen & Eckles (2012, https://doi.org/10.1214/12-AOAS547): every unit and every image draws a Poisson(1)
weight, and an observation weighs the product of its unit's and its three images' weights. The same weights
serve all models, so that what is said of one does not depend on which others are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from simtool.analysis.inference.observations import Observations

__all__ = ["Replicates", "resample"]

#: Observations whose weights are held at once: what fits the processor's cache is fastest.
BLOCK = 512
#: Units whose weights are held at once. The stream of random numbers does not depend on it.
UNIT_BLOCK = 1024


@dataclass(frozen=True)
class Replicates:
    """Weighted sums of B replicates within G strata.

    Attributes:
        sums: (G, M, B) of each column of values.
        weights: (G, B) of the weights.
    """

    sums: NDArray[np.float64]
    weights: NDArray[np.float64]

    def means(self, strata: slice | int = slice(None)) -> NDArray[np.float64]:
        """The replicates of the mean over some strata pooled, without those in which nothing was drawn.

        Args:
            strata: which ones.

        Returns:
            (M, up to B).
        """
        picked = np.arange(len(self.weights))[strata].reshape(-1)
        weights = self.weights[picked].sum(axis=0)
        drawn = weights > 0
        means: NDArray[np.float64] = self.sums[picked].sum(axis=0)[:, drawn] / weights[drawn]
        return means


def resample(
    observations: Observations,
    stratum: NDArray[np.integer],
    values: NDArray[np.floating],
    replicates: int,
    seed: int,
    weight: NDArray[np.float64] | None = None,
    strata: int = 0,
) -> Replicates:
    """Draw replicates of the sums of values, by stratum.

    Drawn weights and credits are multiples of one half, so their products and sums are exact in float32: the result
    depends neither on the block size nor on the order of rows or columns. With weights of the observations' own
    the sums are rounded in float64.

    Args:
        observations: N observations.
        stratum: (N,) counted from 0, for example the type of the trial.
        values: (N, M) floating point; its precision is that of the weights.
        replicates: B, how many.
        seed: of the random numbers.
        weight: (N,) what each observation counts; None where all count the same.
        strata: G, how many there are, where the last ones may be empty.
    """
    columns = values.shape[1]
    own = np.ones(len(values), values.dtype) if weight is None else weight
    table = np.column_stack([values * own[:, None], own])
    total = np.zeros((max(strata, int(stratum.max(initial=0)) + 1), columns + 1, replicates))
    with threadpool_limits(1, "blas"):  # the products are too slim to gain from threads
        for rows, weights in _weights(observations, replicates, seed, table.dtype):
            for group in np.unique(stratum[rows]):
                inside = stratum[rows] == group
                part = weights if inside.all() else weights[inside]
                total[group] += table[rows[inside]].T @ part
    return Replicates(total[:, :-1], total[:, -1])


def _weights(
    observations: Observations, replicates: int, seed: int, dtype: np.dtype[np.floating]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.floating]]]:
    """Blocks of rows with their weights (rows, B); the array is used again for the next block."""
    unit_random, image_random = (np.random.default_rng([seed, factor]) for factor in (0, 1))
    image_weights = image_random.poisson(1.0, (observations.image_count, replicates)).astype(dtype)
    order = np.argsort(observations.unit, kind="stable")
    ends = np.searchsorted(observations.unit[order], np.arange(observations.units + UNIT_BLOCK), side="left")
    product, factor = np.empty((2, BLOCK, replicates), dtype)
    for first in range(0, observations.units, UNIT_BLOCK):
        count = min(UNIT_BLOCK, observations.units - first)
        unit_weights = unit_random.poisson(1.0, (count, replicates)).astype(dtype)
        for start in range(ends[first], ends[first + count], BLOCK):
            rows = order[start : min(start + BLOCK, ends[first + count])]
            weights, scratch = product[: len(rows)], factor[: len(rows)]
            np.take(unit_weights, observations.unit[rows] - first, axis=0, out=weights, mode="clip")
            for images in observations.images[rows].T:
                weights *= np.take(image_weights, images, axis=0, out=scratch, mode="clip")
            yield rows, weights

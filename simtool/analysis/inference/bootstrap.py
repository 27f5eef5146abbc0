"""Replicates of means that resample clusters and images together.

Owen & Eckles (2012, https://doi.org/10.1214/12-AOAS547): every cluster and every image draws a Poisson(1) weight. The
weight of an observation is the product of the weights of its cluster and its three images. All models share the same
weights, so the replicates of a model do not depend on the other models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import Observations

__all__ = ["Replicates", "resample"]

#: Number of observations whose weights are in memory at once. Blocks that fit the cache of the CPU are fastest.
BLOCK = 512
#: Number of clusters whose weights are in memory at once. It does not change the stream of random numbers.
CLUSTER_BLOCK = 1024


@dataclass(frozen=True)
class Replicates:
    """Weighted sums of B replicates within G cells.

    Attributes:
        sums: (G, M, B) of each column of values.
        weights: (G, B) of the weights.
    """

    sums: NDArray[np.float64]
    weights: NDArray[np.float64]

    def means(self, cells: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.float64]:
        """The replicates of the means over some cells pooled, (M, up to B); without those that drew no observation."""
        weights = self.weights[cells].sum(axis=0)
        drawn = weights > 0
        means: NDArray[np.float64] = self.sums[cells].sum(axis=0)[:, drawn] / weights[drawn]
        return means


def resample(
    observations: Observations,
    cell: NDArray[np.integer],
    values: NDArray[np.floating],
    replicates: int,
    seed: int,
    weight: NDArray[np.float64] | None = None,
) -> Replicates:
    """Draw replicates of the sums of values in each cell.

    Drawn weights and credits are multiples of one half, so their products and sums are exact in float32. The block size
    and the order of rows and columns do not change the result. With weights of observations, the sums are
    rounded in float64.

    Args:
        observations: N observations.
        cell: (N,) the cell of each observation, counted from 0.
        values: (N, M) floating point. The drawn weights have the same precision.
        replicates: B.
        seed: seed of the random numbers.
        weight: (N,) weight of each observation; None for equal weights.
    """
    columns = values.shape[1]
    own = np.ones(len(values), values.dtype) if weight is None else weight
    table = np.column_stack([values * own[:, None], own])
    total = np.zeros((int(cell.max(initial=0)) + 1, columns + 1, replicates))
    for rows, weights in _weights(observations, replicates, seed, table.dtype):
        for group in np.unique(cell[rows]):
            inside = cell[rows] == group
            part = weights if inside.all() else weights[inside]
            total[group] += table[rows[inside]].T @ part
    return Replicates(total[:, :-1], total[:, -1])


def _weights(
    observations: Observations, replicates: int, seed: int, dtype: np.dtype[np.floating]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.floating]]]:
    """Blocks of rows with their weights, (rows, B). Each block reuses the same array."""
    cluster_random, image_random = (np.random.default_rng([seed, factor]) for factor in (0, 1))
    image_weights = image_random.poisson(1.0, (observations.image_count, replicates)).astype(dtype)
    order = np.argsort(observations.cluster, kind="stable")
    clusters = observations.cluster_count
    ends = np.searchsorted(observations.cluster[order], np.arange(clusters + CLUSTER_BLOCK), side="left")
    product, factor = np.empty((2, BLOCK, replicates), dtype)
    for first in range(0, clusters, CLUSTER_BLOCK):
        count = min(CLUSTER_BLOCK, clusters - first)
        cluster_weights = cluster_random.poisson(1.0, (count, replicates)).astype(dtype)
        for start in range(ends[first], ends[first + count], BLOCK):
            rows = order[start : min(start + BLOCK, ends[first + count])]
            weights, scratch = product[: len(rows)], factor[: len(rows)]
            np.take(cluster_weights, observations.cluster[rows] - first, axis=0, out=weights, mode="clip")
            for images in observations.images[rows].T:
                weights *= np.take(image_weights, images, axis=0, out=scratch, mode="clip")
            yield rows, weights

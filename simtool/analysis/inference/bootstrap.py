"""Replicates of means that resample clusters and images together.

Owen & Eckles (2012, https://doi.org/10.1214/12-AOAS547): every cluster and every image draws a Poisson(1) weight. The
weight of an observation is the product of the weights of its cluster and its three images. All models share the same
weights, so the replicates of a model do not depend on the other models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.segments import order_of
from simtool.analysis.inference.values import Values
from simtool.system.compiled import compiled
from simtool.system.threads import available_cores, pieces_of

__all__ = ["Replicates", "Sampled", "resample"]

#: Number of observations whose weights are in memory at once. Blocks that fit the cache of the CPU are fastest.
BLOCK = 512
#: Number of observations between two reports of progress.
STEP = 1 << 16
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

    def means(self, cells: NDArray[np.intp] | list[int] | slice = slice(None)) -> NDArray[np.float64]:
        """The replicates of the means over some cells pooled, (M, up to B); without those that drew no observation."""
        weights = self.weights[cells].sum(axis=0)
        drawn = weights > 0
        means: NDArray[np.float64] = self.sums[cells].sum(axis=0)[:, drawn] / weights[drawn]
        return means


class Sampled:
    """Observations that are resampled: their cells, and their values.

    Args:
        observations: n observations; the clusters and the images of several samples are the same.
        cell: (n,) the cell of each observation, counted from 0.
        values: n values of M models.
        weight: (n,) weight of each observation; None for equal weights.
        cells: number of cells; None if the last one has members.
    """

    def __init__(
        self,
        observations: Observations,
        cell: NDArray[np.integer],
        values: Values,
        weight: NDArray[np.float64] | None = None,
        cells: int | None = None,
    ) -> None:
        self.clusters, self.images = observations.cluster_count, observations.image_count
        self.cells = int(cell.max(initial=0)) + 1 if cells is None else cells
        self.models = values.models
        places = -(-self.clusters // CLUSTER_BLOCK) * self.cells
        place = observations.cluster // CLUSTER_BLOCK * self.cells + cell
        order = order_of(place, places)
        self._ends = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=places))])
        self._observations, self._values = observations.take(order), values.take(order)
        self._weight = None if weight is None else weight[order]
        exact = values.are_halves and weight is None
        self._dtype = np.dtype(np.float32 if exact else np.float64)

    def pieces(self, block: int) -> Iterator[tuple[int, slice]]:
        """Pieces of the members of a block of clusters, with their cells."""
        for cell in range(self.cells):
            first, last = self._ends[block * self.cells + cell :][:2].tolist()
            for start in range(first, last, STEP):
                yield cell, slice(start, min(start + STEP, last))

    def sums(
        self, members: slice, clusters: NDArray[np.uint8], first: int, images: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """The weighted sums of the values of some members, and of their weights, (M + 1, B).

        Args:
            members: positions.
            clusters: (C, B) drawn weights of C clusters.
            first: the first of these clusters.
            images: (images + 1, B) drawn weights; 1 in the last row.
        """
        total = np.zeros((self.models + 1, clusters.shape[1]))
        room = np.empty((BLOCK, clusters.shape[1]), self._dtype)
        table = np.ones((BLOCK, self.models + 1), self._dtype)
        for start in range(members.start, members.stop, BLOCK):
            inside = slice(start, min(start + BLOCK, members.stop))
            drawn, values = room[: inside.stop - start], table[: inside.stop - start]
            values[:, :-1] = self._values.multiples[inside]
            if self._weight is not None:
                values[:, -1] = self._weight[inside]
                values[:, :-1] *= values[:, -1:]
            observed = self._observations
            _multiply(observed.cluster[inside] - np.int32(first), observed.images[inside], clusters, images, drawn)
            total += values.T @ drawn
        total[:-1] *= self._values.unit
        return total


def resample(
    samples: Sequence[Sampled],
    replicates: int,
    seed: int,
    pool: Executor,
    advance: Callable[[int], object] = lambda _: None,
) -> list[Replicates]:
    """Draw replicates of the sums of values in each cell.

    Drawn weights and credits are multiples of one half, so their products and sums are exact in float32. The block size
    and the order of rows and columns do not change the result. With weights of observations, the sums are
    rounded in float64.

    Args:
        samples: they share the drawn weights.
        replicates: B.
        seed: seed of the random numbers.
        pool: threads. Each computes a part of the replicates.
        advance: called with numbers of observations that are done.
    """
    totals = [np.zeros((sample.cells, sample.models + 1, replicates)) for sample in samples]
    cluster_random, image_random = (np.random.default_rng([seed, factor]) for factor in (0, 1))
    images = np.ones((samples[0].images + 1, replicates), np.uint8)  # the last is for a repetition of an image
    images[:-1] = _drawn(image_random, samples[0].images, replicates)
    parts = pieces_of(replicates, available_cores())
    for block, first in enumerate(range(0, samples[0].clusters, CLUSTER_BLOCK)):
        clusters = _drawn(cluster_random, min(CLUSTER_BLOCK, samples[0].clusters - first), replicates)
        for sample, total in zip(samples, totals, strict=True):
            for cell, members in sample.pieces(block):
                jobs = [pool.submit(sample.sums, members, clusters[:, part], first, images[:, part]) for part in parts]
                for part, job in zip(parts, jobs, strict=True):
                    total[cell, :, part] += job.result()
                advance(members.stop - members.start)
    return [Replicates(total[:, :-1], total[:, -1]) for total in totals]


def _drawn(random: np.random.Generator, count: int, replicates: int) -> NDArray[np.uint8]:
    """Poisson(1) weights, (count, B)."""
    drawn = np.empty((count, replicates), np.uint8)
    for start in range(0, count, CLUSTER_BLOCK):
        some = drawn[start : start + CLUSTER_BLOCK]
        some[:] = random.poisson(1.0, some.shape)
    return drawn


@compiled
def _multiply(
    cluster: NDArray[np.integer],
    images: NDArray[np.integer],
    cluster_weights: NDArray[np.uint8],
    image_weights: NDArray[np.uint8],
    product: NDArray[np.floating],
) -> None:
    """Multiply the weights of the cluster and the three images of each observation, in each replicate."""
    for row in range(cluster.size):
        own, out = cluster_weights[cluster[row]], product[row]
        a, b, c = image_weights[images[row, 0]], image_weights[images[row, 1]], image_weights[images[row, 2]]
        for at in range(out.size):
            out[at] = np.int32(own[at]) * np.int32(a[at]) * np.int32(b[at]) * np.int32(c[at])

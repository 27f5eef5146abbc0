"""Means within strata, with their standard errors and replicates."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from simtool.analysis.inference.bootstrap import resample
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.multiway import SharedClusters
from simtool.analysis.inference.observations import Observations
from simtool.analysis.strata import Mask, cells_of

__all__ = ["estimate"]


def estimate(
    observations: Observations,
    values: NDArray[np.floating],
    strata: Sequence[Mask],
    replicates: int,
    seed: int,
    weight: NDArray[np.float64] | None = None,
) -> list[Estimates]:
    """Estimate the means of M columns of values; one result for each stratum.

    All observations count in the means. Standard errors and replicates use the informative observations only
    (:meth:`Observations.informative`).

    Args:
        observations: N observations.
        values: (N, M).
        strata: masks of the observations, (N,) each. They may overlap.
        replicates: number of replicates.
        seed: seed of the replicates.
        weight: (N,) weight of each observation; None for equal weights.
    """
    informative = observations.informative(weight)
    known = slice(None) if informative.all() else np.flatnonzero(informative)  # a slice copies nothing
    sampled, sampled_values = observations.take(known), values[known]
    sampled_weight = None if weight is None else weight[known]
    masks = [mask[known] for mask in strata]
    cell, pooled = cells_of(masks)
    parts = [np.flatnonzero(mask) for mask in masks]
    clusters = SharedClusters(sampled)
    # The products are too small to gain from threads of BLAS, and their number changes the last bits of sums. The limit
    # holds for the whole process, so it is set before both computations, which numpy lets run at the same time.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(resample, sampled, cell, sampled_values, replicates, seed, sampled_weight)
        covariances = [
            clusters.covariance(part, sampled_values[part], None if sampled_weight is None else sampled_weight[part])
            for part in parts
        ]
        drawn = drawing.result()
    return [
        Estimates(
            mean=_mean(values[mask], None if weight is None else weight[mask]),
            covariance=covariance,
            replicates=drawn.means(cells),
            effective_size=sampled.effective_size(part),
        )
        for mask, part, cells, covariance in zip(strata, parts, pooled, covariances, strict=True)
    ]


def _mean(values: NDArray[np.floating], weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The means of the columns, (M,)."""
    if weight is None:
        return np.asarray(values.mean(axis=0, dtype=np.float64))
    return np.asarray(weight @ values / weight.sum())

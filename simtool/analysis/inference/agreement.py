"""The variance of the agreement between people, and its covariance with accuracies on the same judgments.

Agreement is a mean over pairs of judgments of the same comparison (a U statistic, Hoeffding 1948,
https://doi.org/10.1214/aoms/1177730196), written as a mean over judgments: of the share of other judgments with the
same answer. If the weight of a person grows, every pair that the person belongs to counts more, as the person's own
judgment and as the judgment that others are compared with. The influence of a person is therefore twice the sum over
the person's judgments. The influence of an image is once the sum, because both judgments of a pair show the image. With
e the influence of each judgment::

    V = sum of e_j e_k over pairs j, k that share an image + 4 * sum of e_j e_k over pairs that share only the cluster

Judgments of one comparison share its images, so the first sum holds all that they have in common. If images are
fixed, the first sum is over pairs of judgments of the same comparison.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.multiway import Covariance, covariance
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values

__all__ = ["agreement_covariance"]


def agreement_covariance(
    observations: Observations,
    comparison: NDArray[np.int32],
    values: Values,
    weight: NDArray[np.float64] | None = None,
    pool: Executor | None = None,
) -> Covariance:
    """The covariance of some means and of an agreement.

    The result holds the variance above, and its two lower limits: dependence within a comparison only, and between
    judgments that share an image only.

    Args:
        observations: n judgments; their number of images is 0 if images are fixed.
        comparison: (n,) the comparison of each, counted from 0.
        values: n values of M columns; the last is the share of other judgments with the same answer.
        weight: (n,) weight of each judgment; None for equal weights.
        pool: threads.
    """
    count = int(comparison.max(initial=-1)) + 1
    if not observations.image_count:
        observations = replace(observations, images=comparison[:, np.newaxis], image_count=count)
    both = covariance(observations, values, weight, pool)
    compared = replace(observations, cluster=comparison, cluster_count=count)
    shown = covariance(compared, values, weight, pool)
    counts = np.ones(values.models)
    counts[-1] = 2
    multiway = shown.multiway + np.outer(counts, counts) * (both.multiway - shown.multiway)
    return Covariance(multiway, shown.one_way, shown.multiway)

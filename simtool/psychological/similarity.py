r"""Similarities of pairs of points, and the derivatives of a function of them.

s(x, y) = exp(-\beta d(x, y)^\tau) + \gamma, with the weighted Euclidean distance d(x, y)² = \sum_k w_k (x_k - y_k)²
(Shepard 1987, Science 237, 1317-1323; Roads & Mozer 2019). The fits work with logarithms, so that no similarity
vanishes, and divide nothing by 1 + \gamma, because only ratios of similarities count.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.choice.rule import Floats
from simtool.system.compiled import compiled

__all__ = ["Codes", "decay_of_pairs", "log_similarity", "slopes_of"]

Codes: TypeAlias = NDArray[np.int32]


@compiled
def decay_of_pairs(
    points: Floats, weights: Floats, first: Codes, second: Codes, scale: float, exponent: float
) -> Floats:
    """Compute ``scale * distance ** exponent`` of pairs, (P,).

    Args:
        points: (n, D) coordinates.
        weights: (D,) of the dimensions.
        first: (P,) positions of points.
        second: (P,) the same.
        scale: beta.
        exponent: tau.
    """
    decay = np.empty(first.size)
    for pair in range(first.size):
        x, y = points[first[pair]], points[second[pair]]
        square = 0.0
        for k in range(x.size):
            square += weights[k] * (x[k] - y[k]) * (x[k] - y[k])
        decay[pair] = scale * (math.sqrt(square) if exponent == 1.0 else square ** (0.5 * exponent))
    return decay


def log_similarity(decay: Floats, log_floor: float) -> Floats:
    """The log-similarities of pairs, from :func:`decay_of_pairs`."""
    logs: Floats = np.logaddexp(-decay, log_floor)
    return logs


@compiled
def slopes_of(
    points: Floats,
    weights: Floats,
    first: Codes,
    second: Codes,
    exponent: float,
    decay: Floats,
    logs: Floats,
    given: Floats,
    point_slopes: Floats,
    weight_slopes: Floats,
) -> tuple[float, float]:
    """Add the derivatives with respect to points and log-weights.

    Args:
        points: as for :func:`decay_of_pairs`.
        weights: the same.
        first: the same.
        second: the same.
        exponent: the same.
        decay: (P,) of the pairs.
        logs: (P,) their log-similarities.
        given: (P,) the derivatives with respect to ``logs``.
        point_slopes: (n, D), to which the result is added.
        weight_slopes: (D,), to which the result is added.

    Returns:
        The derivatives with respect to the logarithm of the scale, and to that of the floor.
    """
    log_scale, log_floor = 0.0, 0.0
    for pair in range(first.size):
        share = math.exp(-decay[pair] - logs[pair])
        slope = -share * given[pair] * decay[pair]
        log_scale += slope
        log_floor += (1.0 - share) * given[pair]
        i, j = first[pair], second[pair]
        square = 0.0
        for k in range(weights.size):
            square += weights[k] * (points[i, k] - points[j, k]) * (points[i, k] - points[j, k])
        if square == 0.0:
            continue
        factor = slope * exponent / square
        for k in range(weights.size):
            step = factor * weights[k] * (points[i, k] - points[j, k])
            point_slopes[i, k] += step
            point_slopes[j, k] -= step
            weight_slopes[k] += 0.5 * step * (points[i, k] - points[j, k])
    return log_scale, log_floor

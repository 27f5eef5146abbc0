"""The power of the test of a difference between two models, from its standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import nctdtr, stdtrit

from simtool.analysis.inference.intervals import Estimates

__all__ = ["LEVEL", "POWER", "Detectable", "detectable", "power_of", "smallest_difference"]

#: The level of the test, and the power at which a difference counts as detectable.
LEVEL, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Detectable:
    """The differences of accuracy that a set of trials can find between the models that were scored on it.

    Attributes:
        trial_type: a trial type, or ``all``.
        pairs: number of pairs of models whose difference has a standard error.
        error: the lowest, the median and the highest standard error of these pairs.
        difference: the true difference of each of these pairs that the test finds with probability ``POWER``.
    """

    trial_type: str
    pairs: int
    error: tuple[float, float, float]
    difference: tuple[float, float, float]


def power_of(difference: float, error: float, freedom: int) -> float:
    """The probability that a two-sided test of level ``LEVEL`` finds a true difference: that of noncentral t.

    Args:
        difference: the true difference.
        error: its standard error.
        freedom: degrees of freedom of Student's distribution.
    """
    limit, shift = float(stdtrit(freedom, 1 - LEVEL / 2)), abs(difference) / error
    return float(1 - nctdtr(freedom, shift, limit) + nctdtr(freedom, shift, -limit))


def smallest_difference(error: float, freedom: int) -> float:
    """The true difference that the test finds with probability ``POWER``; the arguments are those of `power_of`."""
    low, high = 1.0, 2.0
    while power_of(high, 1.0, freedom) < POWER:
        low, high = high, 2 * high
    return error * float(brentq(lambda shift: power_of(shift, 1.0, freedom) - POWER, low, high, xtol=1e-6))


def detectable(trial_type: str, estimates: Estimates) -> Detectable | None:
    """The differences that can be found between M models; None if no pair has a standard error.

    Args:
        trial_type: the name of the stratum.
        estimates: of the accuracies of the models on its trials.
    """
    freedom, identity = estimates.effective_size - 1, np.eye(len(estimates.mean))
    errors = [
        estimates.covariance.standard_error(identity[one] - identity[other])
        for one in range(len(identity))
        for other in range(one)
        if estimates.difference(one, other, 1 - LEVEL).p_value is not None
    ]
    if not errors or freedom < 1:
        return None
    unit = smallest_difference(1.0, freedom)
    return Detectable(trial_type, len(errors), _spread(errors), _spread([unit * error for error in errors]))


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), float(np.median(values)), max(values)

"""The power of the test of a difference between two models, from its standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr, stdtrit

from simtool.analysis.inference.intervals import Estimates

__all__ = ["LEVEL", "POWER", "Detectable", "detectable", "power_of", "smallest_difference"]

#: The level of the test, and the power at which a difference counts as detectable.
LEVEL, POWER = 0.05, 0.8
#: Quantiles for the mean over a distribution; they give 4 digits.
_QUANTILES = 1 << 12


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
    """The probability that a two-sided test of level ``LEVEL`` finds a true difference: a tail of noncentral t.

    Given how far the estimated standard error is off, the estimate is normal. The probability is the mean over the
    quantiles of the chi-squared distribution. (SciPy's ``nctdtr`` is NaN in some of the lower tails.)

    Args:
        difference: the true difference.
        error: its standard error.
        freedom: degrees of freedom of Student's distribution.
    """
    return _beyond(_limits(freedom), difference / error)


def smallest_difference(error: float, freedom: int) -> float:
    """The true difference that the test finds with probability ``POWER``; see :func:`power_of` for the arguments."""
    limits, high = _limits(freedom), 2.0
    while _beyond(limits, high) < POWER:
        high *= 2
    return error * float(brentq(lambda shift: _beyond(limits, shift) - POWER, high / 2, high, xtol=1e-6))


def _limits(freedom: int) -> NDArray[np.float64]:
    """How many true standard errors the test asks for, at equally likely errors of the estimated standard error."""
    quantile = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    limits: NDArray[np.float64] = np.sqrt(2 * gammaincinv(freedom / 2, quantile) / freedom)
    return float(stdtrit(freedom, 1 - LEVEL / 2)) * limits


def _beyond(limits: NDArray[np.float64], shift: float) -> float:
    """The mean probability that an estimate is beyond the limits, for a true difference in standard errors."""
    return float(np.mean(ndtr(shift - limits) + ndtr(-shift - limits)))


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

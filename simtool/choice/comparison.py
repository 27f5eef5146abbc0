"""Single comparisons: Luce's choice between two pairs of images.

P(near is chosen) = s(anchor, near) / (s(anchor, near) + s(anchor, far)), the logistic function of the difference of
log-similarities (Luce 1959; Bradley & Terry 1952, Biometrika 39, 324-345). By Luce's axiom this is also the probability
within a trial with more references, given that one of the two is chosen next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from simtool.choice.rule import Likelihood

__all__ = ["log_probability_of_comparisons"]


def log_probability_of_comparisons(difference: NDArray[np.floating[Any]]) -> Likelihood:
    """The log-probability of comparisons, and its derivative.

    Args:
        difference: (C,) log s(anchor, near) - log s(anchor, far).

    Returns:
        (C,) values, and (C,) derivatives with respect to ``difference``.
    """
    exact = np.asarray(difference, np.float64)
    return Likelihood(log_expit(exact), expit(-exact))

r"""The entropy of choices: how much the choices of a comparison vary, for a model and for people.

If people select the first of two images with probability p, the entropy of a comparison is

    H(p) = -p ln p - (1 - p) ln(1 - p)

A model states its p. That of people must be estimated from a few judgments of each comparison, mostly two. The entropy
of their shares is far too small: if p is 1/2, two judgments are equal half of the time, and their entropy is then 0.
An unbiased estimate of the mean of H does not exist. But the agreement of two judgments, the mean of p^2 + (1 - p)^2,
has one, and limits it. Disagreement g = 2 p (1 - p) determines H, and H is a concave function of g, so

    2 ln 2 (1 - agreement) <= mean H <= H(1/2 + sqrt((agreement - 1/2) / 2))

The lower end is the chord of the function, which is reached if people agree fully on some comparisons and guess on the
others. The upper end is Jensen's inequality, reached if all comparisons are equally hard. Between them, p that follows
a beta distribution with equal parameters a (people have no preference for the first image) gives

    agreement = (a + 1) / (2 a + 1),    mean H = digamma(2 a + 1) - digamma(a + 1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, xlogy

__all__ = ["Entropy", "entropy_of", "expected_entropy", "highest_entropy", "lowest_entropy"]


@dataclass(frozen=True)
class Entropy:
    """The mean entropy of repeated comparisons in nats, from 0 to ln 2, and the disagreement that it is estimated from.

    Attributes:
        judgments: number of judgments of repeated comparisons.
        model: mean entropy of the model.
        model_low: lower end of its interval; None without a standard error.
        model_high: upper end of its interval.
        people: estimated mean entropy of people.
        people_low: lower end of its interval; None without a standard error.
        people_high: upper end of its interval.
        lowest: the least mean entropy that people can have, given how often they agree.
        highest: the greatest.
        model_disagreement: probability that two independent choices of the model differ.
        people_disagreement: probability that the choices of two people differ.
    """

    judgments: int
    model: float
    model_low: float | None
    model_high: float | None
    people: float
    people_low: float | None
    people_high: float | None
    lowest: float
    highest: float
    model_disagreement: float
    people_disagreement: float


def entropy_of(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """The entropy of choices between two images in nats, of any shape; ``probability`` is that of one of them."""
    exact = np.asarray(probability, np.float64)
    entropy: NDArray[np.float64] = -xlogy(exact, exact) - xlogy(1 - exact, 1 - exact)
    return entropy


def expected_entropy(agreement: float) -> float:
    """The mean entropy of comparisons whose p follows a symmetric beta distribution, from the agreement of people."""
    if agreement >= 1:
        return 0.0
    if agreement <= 0.5:
        return math.log(2)
    parameter = (1 - agreement) / (2 * agreement - 1)
    return float(digamma(2 * parameter + 1) - digamma(parameter + 1))


def lowest_entropy(agreement: float) -> float:
    """The least mean entropy that is possible with an agreement."""
    return min(2 * (1 - agreement), 1.0) * math.log(2)


def highest_entropy(agreement: float) -> float:
    """The greatest mean entropy that is possible with an agreement."""
    return float(entropy_of(np.array(0.5 + math.sqrt(max(agreement - 0.5, 0.0) / 2))))

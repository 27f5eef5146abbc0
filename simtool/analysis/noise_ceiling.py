"""The noise ceiling: how well people predict people, and what that says about the best model.

A model that knows only the images gives everybody the same answer to a comparison. If people give answer k with
probability p_k, the best such model gives the most probable answer and is right with probability max p. One other
person is right with probability sum p_k^2. The mean of the latter over comparisons, the agreement, can be estimated
without bias from pairs of judgments. The mean of max p cannot: two judgments of a comparison do not show its p.
Agreement limits it from both sides, and gives an estimate if the form of the distribution of p is assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, gammaincc

from simtool.analysis.inference.intervals import Difference, Interval
from simtool.analysis.metrics import Metric

__all__ = ["ENOUGH", "NoiseCeiling", "Reach", "best_accuracy", "highest_accuracy"]

#: The least number of repeated judgments for a noise ceiling. With fewer, its error is too large.
ENOUGH = 1000


@dataclass(frozen=True)
class Reach:
    """How far a model gets on the comparisons that the noise ceiling is from.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        accuracy: accuracy on the repeated judgments.
        share: the part of the way from chance to the estimated accuracy of the best model; 1 at the noise ceiling.
            The interval carries the errors of both. None if people may agree no more often than by chance, or without a
            standard error.
        from_person: accuracy minus the agreement with one other person.
        from_best: accuracy minus the estimated accuracy of the best model; None if people may agree no more often
            than by chance. The p values of each kind of difference are adjusted over all models.
    """

    model: str
    distance: str
    accuracy: Interval
    share: Interval | None
    from_person: Difference
    from_best: Difference | None


@dataclass(frozen=True)
class NoiseCeiling:
    """The noise ceiling of a metric in the trials of one type, from comparisons that several people judged.

    That of odd-one-out accuracy is from sets of three images that several people judged. ``agreement`` is None, and
    with it all that follows from it, if too few judgments were repeated.

    Attributes:
        trial_type: the type of the trials.
        metric: the metric.
        answers: number of possible answers of a judgment: 2, or 3 for odd-one-out.
        distinct: number of different comparisons (an anchor with two other images, in any order) or sets of images.
        repeated: number of these that several people judged. Only they count.
        judgments: number of their judgments.
        agreement: probability that one other person gives the same answer.
        best: estimated accuracy of the best model that knows the images only (:func:`best_accuracy`).
        reached: the accuracy of each model on the same judgments.
    """

    trial_type: str
    metric: Metric
    answers: int
    distinct: int
    repeated: int
    judgments: int
    agreement: Interval | None = None
    best: Interval | None = None
    reached: tuple[Reach, ...] = ()

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / self.answers

    @property
    def bracket(self) -> tuple[float, float] | None:
        """The limits of the accuracy of the best model that knows the images only."""
        if self.agreement is None:
            return None
        found = self.agreement.estimate
        return max(found, self.chance), highest_accuracy(found, self.answers)

    @property
    def form(self) -> str:
        """The assumed distribution of the answers to a comparison or set."""
        return "beta-binomial" if self.answers == 2 else "Dirichlet-multinomial"

    @property
    def judged(self) -> str:
        """The things that were judged, in the plural."""
        return "comparisons" if self.answers == 2 else "sets of three images"


def highest_accuracy(agreement: float, answers: int) -> float:
    """The upper limit of the accuracy of the best model: the mean of max p, where the mean of sum p^2 is known.

    With K answers, max p is at most 1/K + sqrt((1 - 1/K) (sum p^2 - 1/K)), with equality if the other answers are
    equally probable (Samuelson 1968, https://doi.org/10.1080/01621459.1968.10480944). This is concave in sum p^2, so by
    Jensen's inequality it holds for the means. With two answers it is 1/2 + sqrt((agreement - 1/2) / 2).
    """
    chance = 1 / answers
    return chance + math.sqrt((1 - chance) * max(agreement - chance, 0))


def best_accuracy(agreement: float, answers: int) -> float:
    """The accuracy of the best model if p has a symmetric Dirichlet distribution over comparisons (with K = 2, Beta).

    Its parameter alpha is that with the same agreement, (alpha + 1) / (K alpha + 1): the answers to a comparison are
    beta-binomial, fitted by the moment of pairs. The proportions are K gamma variables with shape alpha, divided by
    their sum, which does not depend on the proportions. So the mean of max p is that of the greatest of the variables,
    the integral of 1 - F(x)^K, divided by K alpha. With two answers it is 1/2 + 4^-alpha / (alpha B(alpha, alpha)).
    """
    if agreement * answers - 1 < 1e-9:
        return max(1 / answers, min(agreement, 1.0))
    if 1 - agreement < 1e-6:
        return 1.0
    alpha = (1 - agreement) / (answers * agreement - 1)
    # Over the logarithm t of x, in panels that are narrow where F rises.
    last, width = math.log(alpha + 12 * math.sqrt(alpha) + 60), 12 / math.sqrt(alpha)
    rise = math.log(alpha) + width * np.linspace(-1, 1, 9)
    edges = np.unique(np.concatenate([np.linspace(-40, last, 12), np.clip(rise, -40, last)]))
    node, weight = np.polynomial.legendre.leggauss(24)
    half = np.diff(edges)[:, np.newaxis] / 2
    x = np.exp(edges[:-1, np.newaxis] + half * (1 + node))
    below, above = gammainc(alpha, x), gammaincc(alpha, x)
    integrand = x * above * sum(below**power for power in range(answers))  # 1 - F^K, without cancellation
    return float((half * weight * integrand).sum() / (answers * alpha))

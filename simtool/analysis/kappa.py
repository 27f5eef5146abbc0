"""Error consistency: whether two models, or a model and a person, are right and wrong on the same comparisons.

Cohen's kappa of correctness (Geirhos, Meding & Wichmann 2020, NeurIPS 33, 13890-13902, equations 1 to 3)::

    kappa = (observed - expected) / (1 - expected)
    expected = p q + (1 - p) (1 - q)

``observed`` is the share of comparisons that both predict right, or both wrong. ``expected`` is this share for two
independent predictors with the accuracies p and q. A tie is half right: ties of two models are broken independently, so
a comparison with credits c and d counts c d + (1 - c) (1 - d) in ``observed``.

People have no right answer but each other. The correct answer of a comparison is therefore the choice of one person,
and the predictors are a model and another person who judged the same comparison. With two answers, both are right or
both wrong if and only if they choose the same: ``observed`` is the accuracy of the model on repeated comparisons, p is
that accuracy too, and q is the agreement of two people. For two people, ``observed`` and both accuracies are the
agreement.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PEOPLE", "Consistency", "Kappa", "Predictor"]


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa as a function of the observed share and of two accuracies."""

    observed: float
    first: float
    second: float

    @property
    def expected(self) -> float:
        """The share by chance."""
        return self.first * self.second + (1 - self.first) * (1 - self.second)

    @property
    def value(self) -> float | None:
        """Cohen's kappa; None where it is 0 / 0."""
        return None if self.expected >= 1 else (self.observed - self.expected) / (1 - self.expected)

    @property
    def gradient(self) -> tuple[float, float, float]:
        """The derivatives by the observed share, and by the first and the second accuracy."""
        if self.expected >= 1:
            return 0.0, 0.0, 0.0
        by_expected = -(1 - self.observed) / (1 - self.expected) ** 2
        return 1 / (1 - self.expected), by_expected * (2 * self.second - 1), by_expected * (2 * self.first - 1)


@dataclass(frozen=True)
class Predictor:
    """A model with a distance, or a person: whoever predicts choices.

    Attributes:
        model: the label of the model; ``people`` for a person.
        distance: the name of the distance; empty for a person.
    """

    model: str
    distance: str = ""


#: Another person who judged the same comparison.
PEOPLE = Predictor("people")


@dataclass(frozen=True)
class Consistency:
    """The error consistency of two predictors in the trials of one type.

    Attributes:
        trial_type: the type of the trials.
        first: a predictor.
        second: another predictor.
        comparisons: number of comparisons; with people, of judgments of repeated comparisons.
        observed: share of comparisons that both predict right, or both wrong.
        expected: this share if their errors were independent.
        kappa: error consistency: 1 for the same errors, 0 for independent ones; None if both are always right, or both
            always wrong.
        low: lower end of its interval; None without a standard error.
        high: upper end of its interval.
    """

    trial_type: str
    first: Predictor
    second: Predictor
    comparisons: int
    observed: float
    expected: float
    kappa: float | None
    low: float | None = None
    high: float | None = None

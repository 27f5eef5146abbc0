"""How well a choice model predicts what people select: likelihood, and whether its probabilities hold."""

from __future__ import annotations

from dataclasses import dataclass

from simtool.analysis.entropy import Entropy

__all__ = ["Bin", "Calibration", "Prediction"]


@dataclass(frozen=True)
class Bin:
    """The comparisons that a model predicts with about the same probability.

    A model predicts the more probable of two images, so its probability is at least 1/2.

    Attributes:
        comparisons: their number.
        predicted: mean probability of the predicted image.
        observed: share of judgments that select the predicted image; half of those with the probability 1/2.
        low: lower end of the interval of ``observed``; None without a standard error.
        high: upper end of its interval.
    """

    comparisons: int
    predicted: float
    observed: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Calibration:
    """Whether the predicted probabilities of comparisons are the shares of judgments.

    Attributes:
        error: expected calibration error: the mean over comparisons of ``|observed - predicted|`` of their bin (Naeini,
            Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, ICML). It is never 0: of chance alone, a bin of n
            comparisons is off by about .4 / sqrt(n).
        low: lower end of its interval; None without a standard error.
        high: upper end of its interval.
        bins: those that hold comparisons (with weights, of a weight above 0), by probability.
    """

    error: float
    low: float | None
    high: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Prediction:
    """How well the choice model of a model and distance predicts the trials of one type.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        trial_type: the type of the trials.
        trials: number of trials.
        comparisons: number of comparisons that these imply.
        loss: mean negative log-likelihood of the selections, in nats.
        low: lower end of its interval; None without a standard error.
        high: upper end of its interval.
        chance: the loss of guessing: the logarithm of the number of possible selections.
        calibration: of the probabilities of comparisons; None if the outcomes do not hold them.
        entropy: of the model and of people; None if too few judgments were repeated.
    """

    model: str
    distance: str
    trial_type: str
    trials: int
    comparisons: int
    loss: float
    low: float | None
    high: float | None
    chance: float
    calibration: Calibration | None = None
    entropy: Entropy | None = None

"""Computes how well choice models predict what people select."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.entropy import Entropy, entropy_of, expected_entropy, highest_entropy, lowest_entropy
from simtool.analysis.inference.linearised import Linearised
from simtool.analysis.inference.values import mean_of
from simtool.analysis.judged import RepeatedJudgments
from simtool.analysis.noise_ceiling import ENOUGH
from simtool.analysis.prediction import Bin, Calibration, Prediction
from simtool.analysis.strata import Stratum
from simtool.analysis.study import Study
from simtool.choice import rule_of
from simtool.designs import TrialType
from simtool.tables.outcomes import Outcomes

__all__ = ["predictions"]

#: Number of bins of predicted probabilities, from 1/2 to 1.
BINS = 10


def predictions(study: Study, outcomes: Sequence[Outcomes], level: float, enough: int = ENOUGH) -> Iterator[Prediction]:
    """The predictions of the models whose outcomes hold log-likelihoods, for each trial type.

    Trial types are not pooled: their numbers of possible selections differ, and so does the loss of guessing.

    Args:
        study: the trials.
        outcomes: of the models that were scored on them.
        level: of the intervals.
        enough: the least number of repeated judgments, for the entropy of people.
    """
    fitted = [each for each in outcomes if each.log_likelihood is not None]
    for stratum in study.strata:
        if fitted and stratum.trial_type is not None and stratum.within is None:
            found = _losses(study, fitted, stratum, stratum.trial_type, level)
            found = list(_calibrated(study, fitted, stratum, found, level))
            yield from _compared(study, fitted, stratum, found, level, enough)


def chance_of(kind: TrialType) -> float:
    """The negative log-likelihood of guessing: every selection is equally probable if all similarities are equal."""
    rule = rule_of(kind)
    selected = np.arange(kind.n_select, dtype=np.int8)[np.newaxis]
    return -float(rule.log_probability(np.zeros((1, rule.pairs.shape[1])), selected)[0])


def _losses(
    study: Study, outcomes: Sequence[Outcomes], stratum: Stratum, kind: TrialType, level: float
) -> list[Prediction]:
    """The predictions without their calibration."""
    observations = study.chosen.take(stratum.mask)
    weight = study.weight_of(observations)
    losses = [-each.log_likelihood[stratum.mask] for each in outcomes if each.log_likelihood is not None]
    means = [mean_of(loss, weight) for loss in losses]
    halves = Linearised(observations, weight, level).half_widths(losses)
    return [
        Prediction(
            model=each.model,
            distance=each.distance,
            trial_type=stratum.name,
            trials=len(observations),
            comparisons=len(observations) * kind.comparisons,
            loss=mean,
            low=None if half is None else max(0.0, mean - half),
            high=None if half is None else mean + half,
            chance=chance_of(kind),
        )
        for each, mean, half in zip(outcomes, means, halves, strict=True)
    ]


def _calibrated(
    study: Study, outcomes: Sequence[Outcomes], stratum: Stratum, found: Sequence[Prediction], level: float
) -> Iterator[Prediction]:
    """The predictions with their calibration, where outcomes hold probabilities."""
    inside = stratum.over(study.comparisons)
    observations = study.compared.take(inside)
    weight = study.weight_of(observations)
    curves = [None if each.probability is None else _Curve.of(each.probability[inside], weight) for each in outcomes]
    known = [curve for curve in curves if curve is not None]
    influences = (influence for curve in known for influence in curve.influences())
    halves = iter(Linearised(observations, weight, level).half_widths(influences))
    for prediction, curve in zip(found, curves, strict=True):
        calibration = None if curve is None else curve.calibration([next(halves) for _ in curve.estimates])
        yield replace(prediction, calibration=calibration)


def _compared(
    study: Study, outcomes: Sequence[Outcomes], stratum: Stratum, found: Sequence[Prediction], level: float, enough: int
) -> Iterator[Prediction]:
    """The predictions with the entropy of the model and of people, where judgments were repeated."""
    repeated = RepeatedJudgments.of(study, stratum, enough)
    if repeated is None:
        yield from found
        return
    entropies = {
        (each.model, each.distance): entropy
        for part in repeated.turns([each for each in outcomes if each.probability is not None])
        for each, entropy in zip(part, _entropies(repeated, part, level), strict=True)
    }
    yield from (replace(each, entropy=entropies.get((each.model, each.distance))) for each in found)


def _entropies(repeated: RepeatedJudgments, outcomes: Sequence[Outcomes], level: float) -> Iterator[Entropy]:
    """The entropy of each model and of people, on the same judgments."""
    places = repeated.judged.places
    chances = [each.probability[places] for each in outcomes if each.probability is not None]
    estimates = repeated.estimates([entropy_of(chance).astype(np.float32) for chance in chances])
    agreement = float(estimates.mean[-1])
    identity = np.eye(len(estimates.mean))
    people = estimates.linearised(agreement, identity[-1], level)
    for column, chance in enumerate(chances):
        model = estimates.linearised(float(estimates.mean[column]), identity[column], level)
        yield Entropy(
            judgments=len(repeated),
            model=model.estimate,
            model_low=None if model.low is None else max(0.0, model.low),
            model_high=None if model.high is None else min(math.log(2), model.high),
            people=expected_entropy(agreement),
            people_low=None if people.high is None else expected_entropy(people.high),
            people_high=None if people.low is None else expected_entropy(people.low),
            lowest=lowest_entropy(agreement),
            highest=highest_entropy(agreement),
            model_disagreement=mean_of(2 * chance * (1 - chance), repeated.weight),
            people_disagreement=1 - agreement,
        )


@dataclass(frozen=True)
class _Curve:
    """The reliability of N predicted probabilities, in bins.

    Attributes:
        probability: (N,) of what people chose.
        place: (N,) the bin of each, counted from 0 over the bins that are not empty.
        counts: (bins,).
        share: (bins,) share of the weights.
        predicted: (bins,) mean probability of the more probable answer.
        observed: (bins,) how often it was given.
    """

    probability: NDArray[np.float32]
    place: NDArray[np.intp]
    counts: NDArray[np.intp]
    share: NDArray[np.float64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]

    @classmethod
    def of(cls, probability: NDArray[np.float32], weight: NDArray[np.float64] | None) -> _Curve:
        """Divide probabilities into bins of equal width, from 1/2 to 1; an edge belongs to the lower bin."""
        confidence, right = _predicted(probability)
        place = np.searchsorted(np.linspace(0.5, 1, BINS + 1)[1:-1], confidence)
        used, place = np.unique(place, return_inverse=True)
        share = np.bincount(place, weight, used.size)
        with np.errstate(invalid="ignore"):  # bins without weight
            predicted, observed = (
                np.bincount(place, values if weight is None else weight * values, used.size) / share
                for values in (confidence, right)
            )
        return cls(probability, place, np.bincount(place), share / share.sum(), predicted, observed)

    @property
    def _gap(self) -> NDArray[np.float64]:
        return np.where(self.share > 0, self.observed - self.predicted, 0.0)

    @property
    def estimates(self) -> list[float]:
        """The calibration error, then the observed share of each bin."""
        return [float(self.share @ abs(self._gap)), *self.observed.tolist()]

    def influences(self) -> Iterator[NDArray[np.floating]]:
        """The influences of comparisons on the estimates, (N,) each. The signs of the gaps are held."""
        confidence, right = _predicted(self.probability)
        yield np.sign(self._gap).astype(np.float32)[self.place] * (right - confidence)
        for at in range(len(self.counts)):
            if self.share[at] > np.finfo(np.float32).tiny:
                yield np.where(
                    self.place == at, (right - np.float32(self.observed[at])) / np.float32(self.share[at]), 0
                )
            else:
                yield np.zeros_like(right)

    def calibration(self, halves: Sequence[float | None]) -> Calibration:
        """The calibration, from half the widths of the intervals of its estimates."""
        error, *bins = map(_ends, self.estimates, halves)
        numbers = zip(self.counts.tolist(), self.predicted.tolist(), self.observed.tolist(), bins, strict=True)
        return Calibration(
            self.estimates[0],
            *error,
            tuple(
                Bin(count, predicted, observed, *ends)
                for share, (count, predicted, observed, ends) in zip(self.share, numbers, strict=True)
                if share > 0
            ),
        )


def _ends(share: float, half: float | None) -> tuple[float | None, float | None]:
    """The interval of a share."""
    return (None, None) if half is None else (max(0.0, share - half), min(1.0, share + half))


def _predicted(probability: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The probability of the more probable answer, and whether people gave it: 1/2 if both are equally probable."""
    right = (np.sign(probability - np.float32(0.5)) + 1) / 2
    return np.maximum(probability, 1 - probability), right

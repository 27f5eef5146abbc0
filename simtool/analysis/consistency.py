"""Computes the error consistency of models, and of models with people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.linearised import Linearised
from simtool.analysis.inference.values import mean_of
from simtool.analysis.judged import RepeatedJudgments
from simtool.analysis.kappa import PEOPLE, Consistency, Kappa, Predictor
from simtool.analysis.noise_ceiling import ENOUGH
from simtool.analysis.strata import Mask, Stratum
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes

__all__ = ["consistencies"]


def consistencies(
    study: Study, outcomes: Sequence[Outcomes], level: float, enough: int = ENOUGH
) -> Iterator[Consistency]:
    """The error consistency of every two models, and of every model with people, by trial type.

    Trial types are not pooled: all models predict one type better than another, and this alone makes errors consistent.
    That with people exists for each trial type with enough judgments of repeated comparisons.

    Args:
        study: the trials.
        outcomes: of the models that were scored on them.
        level: of the intervals.
        enough: the least number of repeated judgments.
    """
    for stratum in study.strata:
        if stratum.trial_type is not None and stratum.within is None:
            inside = stratum.over(study.comparisons)
            yield from _of_models(study, outcomes, stratum, inside, level)
            yield from _with_people(study, outcomes, stratum, level, enough)


def _of_models(
    study: Study, outcomes: Sequence[Outcomes], stratum: Stratum, inside: Mask, level: float
) -> Iterator[Consistency]:
    observations = study.compared.take(inside)
    weight = study.weight_of(observations)
    credits = [each.credit if inside.all() else each.credit[inside] for each in outcomes]
    right = [mean_of(credit, weight) for credit in credits]
    pairs = list(combinations(range(len(outcomes)), 2))
    kappas = []
    for one, two in pairs:
        together = mean_of(_together(credits[one], credits[two]), weight)
        kappas.append(Kappa(together, right[one], right[two]))

    def influences() -> Iterator[NDArray[np.floating]]:
        for (one, two), kappa in zip(pairs, kappas, strict=True):
            by_observed, by_first, by_second = kappa.gradient
            yield (
                by_observed * _together(credits[one], credits[two]) + by_first * credits[one] + by_second * credits[two]
            )

    names = [(_predictor(outcomes[one]), _predictor(outcomes[two])) for one, two in pairs]
    intervals = Linearised(observations, weight, level)
    yield from _found(stratum, names, len(observations), kappas, intervals, influences())


def _with_people(
    study: Study, outcomes: Sequence[Outcomes], stratum: Stratum, level: float, enough: int
) -> Iterator[Consistency]:
    repeated = RepeatedJudgments.of(study, stratum, enough)
    if repeated is None:
        return
    first = True
    for part in repeated.turns(outcomes):
        estimates = repeated.estimates([repeated.judged.credit(each) for each in part])
        predictors = [_predictor(each) for each in part]
        columns = range(len(part))
        if first:
            predictors, columns, first = [PEOPLE, *predictors], range(-1, len(part)), False
        for predictor, column in zip(predictors, columns, strict=True):
            accuracy, agreement = float(estimates.mean[column]), float(estimates.mean[-1])
            kappa = Kappa(accuracy, accuracy, agreement)
            by_observed, by_first, by_second = kappa.gradient
            coefficients = np.zeros(len(estimates.mean))
            coefficients[column] += by_observed + by_first
            coefficients[-1] += by_second
            found = estimates.linearised(kappa.value or 0.0, coefficients, level)
            half = None if found.high is None else found.high - found.estimate
            yield _stated(stratum, (predictor, PEOPLE), len(repeated), kappa, half)


def _found(
    stratum: Stratum,
    names: Sequence[tuple[Predictor, Predictor]],
    comparisons: int,
    kappas: Sequence[Kappa],
    intervals: Linearised,
    influences: Iterator[NDArray[np.floating]],
) -> Iterator[Consistency]:
    halves = intervals.half_widths(influences)
    for pair, kappa, half in zip(names, kappas, halves, strict=True):
        yield _stated(stratum, pair, comparisons, kappa, half)


def _stated(
    stratum: Stratum, pair: tuple[Predictor, Predictor], comparisons: int, kappa: Kappa, half: float | None
) -> Consistency:
    """The error consistency of two predictors; ``half`` is half the width of its interval."""
    low = high = None
    if kappa.value is not None and half is not None:
        low, high = max(-1.0, kappa.value - half), min(1.0, kappa.value + half)
    return Consistency(stratum.name, *pair, comparisons, kappa.observed, kappa.expected, kappa.value, low, high)


def _together(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability that both are right or both wrong, if they break their ties independently."""
    return one * two + (1 - one) * (1 - two)


def _predictor(outcomes: Outcomes) -> Predictor:
    return Predictor(outcomes.model, outcomes.distance)

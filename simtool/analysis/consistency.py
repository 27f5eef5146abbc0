"""Computes the error consistency of models, and of models with people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.linearised import Linearised
from simtool.analysis.kappa import Consistency, Kappa, Predictor
from simtool.analysis.strata import ALL, Mask, Stratum
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes

__all__ = ["consistencies"]


def consistencies(study: Study, outcomes: Sequence[Outcomes], level: float) -> Iterator[Consistency]:
    """The error consistency of every two models, and of every model with people, in all trials and by trial type.

    That with people exists for each trial type with at least 1,000 judgments of repeated comparisons.
    """
    for stratum in study.strata:
        if stratum.trial_type is not None or stratum.name == ALL:
            inside = stratum.over(study.comparisons)
            yield from _of_models(study, outcomes, stratum, inside, level)


def _of_models(
    study: Study, outcomes: Sequence[Outcomes], stratum: Stratum, inside: Mask, level: float
) -> Iterator[Consistency]:
    observations = study.compared.take(inside)
    weight = study.weight_of(observations)
    credits = [each.credit if inside.all() else each.credit[inside] for each in outcomes]
    right = [_mean(credit, weight) for credit in credits]
    pairs = list(combinations(range(len(outcomes)), 2))
    kappas = []
    for one, two in pairs:
        together = _mean(_together(credits[one], credits[two]), weight)
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


def _found(
    stratum: Stratum,
    names: Sequence[tuple[Predictor, Predictor]],
    comparisons: int,
    kappas: Sequence[Kappa],
    intervals: Linearised,
    influences: Iterator[NDArray[np.floating]],
) -> Iterator[Consistency]:
    values = [0.0 if kappa.value is None else kappa.value for kappa in kappas]
    for (first, second), kappa, ends in zip(names, kappas, intervals.intervals(values, influences), strict=True):
        low, high = (None, None) if ends is None or kappa.value is None else (max(-1.0, ends[0]), min(1.0, ends[1]))
        yield Consistency(
            stratum.name, first, second, comparisons, kappa.observed, kappa.expected, kappa.value, low, high
        )


def _together(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability that both are right or both wrong, if they break their ties independently."""
    return one * two + (1 - one) * (1 - two)


def _mean(values: NDArray[np.floating], weight: NDArray[np.float64] | None) -> float:
    return float(values.mean(dtype=np.float64) if weight is None else np.average(values, weights=weight))


def _predictor(outcomes: Outcomes) -> Predictor:
    return Predictor(outcomes.model, outcomes.distance)

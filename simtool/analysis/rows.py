"""The rows of a report: each metric of each model in each stratum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.estimation import estimate
from simtool.analysis.inference.intervals import Difference, Estimates, holm
from simtool.analysis.inference.observations import Observations
from simtool.analysis.metrics import Metric
from simtool.analysis.noise_ceiling import NoiseCeiling
from simtool.analysis.report import Row, Settings
from simtool.analysis.strata import Mask, Stratum
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes

__all__ = ["Rows"]


class Rows:
    """Computes the rows of the models that were scored on the same trials."""

    def __init__(self, study: Study, outcomes: Sequence[Outcomes], settings: Settings) -> None:
        self._study = study
        self._outcomes = outcomes
        self._settings = settings
        self._credit = [each.credit for each in outcomes]

    def of(self, metrics: Sequence[Metric]) -> Iterator[Row]:
        """The rows of some metrics, in no particular order."""
        for metric in metrics:
            if metric.of_trials is None:
                yield from self._of_comparisons(metric)
        for stratum in self._study.strata:
            yield from self._of_trials(stratum, metrics)

    def _of_comparisons(self, metric: Metric) -> Iterator[Row]:
        """The rows of a metric that is the credit of each comparison."""
        study, observations = self._study, self._study.compared
        values = np.column_stack(self._credit)
        scopes = [
            (stratum, stratum.over(study.comparisons), chance)
            for stratum in study.strata
            if (chance := study.chance(metric, stratum)) is not None
        ]
        found = self._estimates(observations, values, [mask for _, mask, _ in scopes])
        for (stratum, mask, chance), estimates in zip(scopes, found, strict=True):
            ceiling = study.noise_ceiling(mask) if metric.has_noise_ceiling else None
            part = observations.take(mask)
            yield from self._rows(stratum, metric, chance, part, values[mask], estimates, ceiling)

    def _of_trials(self, stratum: Stratum, metrics: Sequence[Metric]) -> Iterator[Row]:
        """The rows of the metrics that are values of whole trials, in a stratum of one trial type."""
        kind = stratum.trial_type
        if kind is None:
            return
        selected = self._study.trials.selected[stratum.mask, : kind.n_select]
        inside = stratum.over(self._study.comparisons)
        credit = [each[inside].reshape(-1, kind.comparisons) for each in self._credit]
        found = [
            (metric, chance, np.column_stack([metric.of_trials(kind, own, selected) for own in credit]).astype(float))
            for metric in metrics
            if metric.of_trials is not None and (chance := metric.chance(kind)) is not None
        ]
        if not found:
            return
        observations = self._study.chosen.take(stratum.mask)
        everything = np.ones(len(observations), bool)
        (estimates,) = self._estimates(observations, np.column_stack([values for *_, values in found]), [everything])
        for at, (metric, chance, values) in enumerate(found):
            columns = slice(at * len(credit), (at + 1) * len(credit))
            yield from self._rows(stratum, metric, chance, observations, values, estimates.take(columns))

    def _estimates(
        self, observations: Observations, values: NDArray[np.floating], strata: Sequence[Mask]
    ) -> list[Estimates]:
        settings, weight = self._settings, self._study.weight_of(observations)
        return estimate(observations, values, strata, settings.replicates, settings.seed, weight)

    def _rows(
        self,
        stratum: Stratum,
        metric: Metric,
        chance: float,
        observations: Observations,
        values: NDArray[np.floating],
        estimates: Estimates,
        ceiling: NoiseCeiling | None = None,
    ) -> Iterator[Row]:
        """The rows of one metric in one stratum: (N, M) values of its N observations for M models and distances."""
        study, level = self._study, self._settings.level
        sample = study.sample(observations)
        implied = study.trials.implied[np.unique(observations.trial)].sum()
        comparisons = len(observations) if metric.of_trials is None else int(implied)
        ties = np.count_nonzero((values > 0) & (values < 1), axis=0)
        gains = _differences(estimates, self._outcomes, self._settings.baseline, level)
        for column, each in enumerate(self._outcomes):
            low, high = estimates.interval(column, level)
            yield Row(
                model=each.model,
                distance=each.distance,
                trial_type=stratum.name,
                metric=metric,
                estimate=float(estimates.mean[column]),
                low=low,
                high=high,
                chance=chance,
                trials=sample.trials,
                comparisons=comparisons,
                ties=int(ties[column]),
                sample=sample,
                noise_ceiling=ceiling,
                difference=gains.get(column),
            )


def _differences(
    estimates: Estimates, outcomes: Sequence[Outcomes], baseline: str | None, level: float
) -> dict[int, Difference]:
    """Compare each model with the baseline that has the same distance, by position in ``outcomes``."""
    base = {each.distance: at for at, each in enumerate(outcomes) if each.model == baseline}
    pairs = [
        (at, base[each.distance])
        for at, each in enumerate(outcomes)
        if each.model != baseline and each.distance in base
    ]
    found = {at: estimates.difference(at, other, level) for at, other in pairs}
    adjusted = holm([gain.p_value for gain in found.values()])
    return {at: replace(gain, p_holm=p_holm) for (at, gain), p_holm in zip(found.items(), adjusted, strict=True)}

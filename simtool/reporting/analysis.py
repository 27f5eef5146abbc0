"""From outcomes to the numbers of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.reporting.metrics import Metric, Order
from simtool.reporting.report import ALL, Difference, Report, ReportError, Row, Sample, Settings
from simtool.similarity.ceilings import Ceiling, ceiling
from simtool.similarity.inference import (
    Covariance,
    Estimates,
    Observations,
    Replicates,
    SharedClusters,
    choices_of,
    comparisons_of,
    holm,
    resample,
    units_of,
)
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import TrialType

__all__ = ["build_report"]

#: How the names of simulated observers begin.
SIMULATED = "simulated"


def build_report(outcomes: Sequence[Outcomes], settings: Settings, metrics: Sequence[Metric] = tuple(Metric)) -> Report:
    """Compute a report.

    Args:
        outcomes: one for each model and distance; those on the same trials share the ``Trials`` object.
        settings: how.
        metrics: which; what is left out costs no time.

    Raises:
        ReportError: the baseline is not among the models.
    """
    if settings.baseline is not None and settings.baseline not in {each.model for each in outcomes}:
        models = listed(dict.fromkeys(each.model for each in outcomes), most=8)
        raise ReportError(f"the baseline {settings.baseline} is not among the models: {models}")
    groups: dict[int, list[Outcomes]] = {}
    for each in outcomes:
        groups.setdefault(id(each.trials), []).append(each)
    analyses = [_Analysis(group, settings) for group in groups.values()]
    place = {(each.model, each.distance): at for at, each in enumerate(outcomes)}
    rows = [row for analysis in analyses for row in analysis.rows(metrics)]
    return Report(
        rows=tuple(sorted(rows, key=lambda row: (_block_key(row), _order_key(row, place, settings.order)))),
        samples=tuple(analysis.sample for analysis in analyses),
        settings=settings,
        simulated=any(analysis.simulated for analysis in analyses),
        trial_types=(ALL, *dict.fromkeys(name for analysis in analyses for name in analysis.trial_types)),
    )


def _block_key(row: Row) -> tuple[object, ...]:
    kind = () if row.trial_type == ALL else (-TrialType.parse(row.trial_type).n_reference, row.trial_type)
    return (kind, list(Metric).index(row.metric))


def _order_key(row: Row, place: dict[tuple[str, str], int], order: Order) -> tuple[object, ...]:
    given = place[row.model, row.distance]
    return {Order.ACCURACY: (-row.estimate, given), Order.NAME: (row.model, row.distance)}.get(order, (given,))


class _Analysis:
    """All numbers of the models that were scored on the same trials."""

    def __init__(self, outcomes: Sequence[Outcomes], settings: Settings) -> None:
        self._outcomes = outcomes
        self._settings = settings
        self._trials = outcomes[0].trials
        self._units = units_of(self._trials)
        self._comparisons = comparisons_of(self._trials, self._units)
        self._implied = np.bincount(self._comparisons.trial, minlength=len(self._trials))

    @property
    def sample(self) -> Sample:
        return Sample(self._units.name, self._units.count, self._comparisons.image_count, len(self._trials))

    @property
    def simulated(self) -> bool:
        return any(name is not None and name.startswith(SIMULATED) for name in set(self._trials.participant))

    @property
    def trial_types(self) -> list[str]:
        return [str(kind) for at, kind in enumerate(self._trials.types) if (self._trials.type_index == at).any()]

    def rows(self, metrics: Sequence[Metric]) -> Iterator[Row]:
        """The rows of some metrics, in no particular order."""
        choices = [metric for metric in metrics if metric != Metric.TRIPLET_ACCURACY]
        if Metric.TRIPLET_ACCURACY in metrics:
            yield from self._triplet_rows()
        if choices:
            yield from self._choice_rows(choices)

    def _triplet_rows(self) -> Iterator[Row]:
        observations, metric = self._comparisons, Metric.TRIPLET_ACCURACY
        clusters = SharedClusters(observations)
        credits = np.column_stack([each.credits[~np.isnan(each.credits)] for each in self._outcomes])
        stratum = self._trials.type_index[observations.trial]
        scopes: list[tuple[str, slice | int, NDArray[np.intp]]] = [(ALL, slice(None), np.arange(len(credits)))]
        scopes += [(str(kind), at, np.flatnonzero(stratum == at)) for at, kind in enumerate(self._trials.types)]
        scopes = [scope for scope in scopes if scope[2].size]
        with ThreadPoolExecutor(1) as pool:  # numpy lets the two run side by side
            drawing = pool.submit(self._resample, observations, stratum, credits)
            covariances = [clusters.covariance(rows, credits[rows]) for _, _, rows in scopes]
            replicates = drawing.result()
        for (trial_type, strata, rows), covariance in zip(scopes, covariances, strict=True):
            values = credits[rows]
            estimates = _estimates(values, covariance, replicates.means(strata), observations.independent(rows))
            trials, bound = np.unique(observations.trial[rows]), ceiling(observations.images[rows])
            yield from self._rows(trial_type, metric, 0.5, trials, _broken(values), estimates, bound)

    def _choice_rows(self, choices: Sequence[Metric]) -> Iterator[Row]:
        observations = choices_of(self._trials, self._units)
        clusters = SharedClusters(observations)
        for kind in self._trials.types:
            trials = self._trials.of_type(kind)
            metrics = [metric for metric in choices if metric.applies_to(kind)]
            if not trials.size or not metrics:
                continue
            columns = [getattr(each, metric.value)[trials] for metric in metrics for each in self._outcomes]
            values = np.column_stack(columns).astype(np.float64)
            stratum = np.zeros(trials.size, np.intp)
            replicates = self._resample(observations.take(trials), stratum, values)
            covariance, independent = clusters.covariance(trials, values), observations.independent(trials)
            estimates = _estimates(values, covariance, replicates.means(), independent)
            for at, metric in enumerate(metrics):
                own = slice(at * len(self._outcomes), (at + 1) * len(self._outcomes))
                yield from self._rows(
                    trial_type=str(kind),
                    metric=metric,
                    chance=metric.chance(kind),
                    trials=trials,
                    ties=_broken(values[:, own]),
                    estimates=estimates.take(own),
                )

    def _resample(
        self, observations: Observations, stratum: NDArray[np.integer], values: NDArray[np.floating]
    ) -> Replicates:
        return resample(observations, stratum, values, self._settings.replicates, self._settings.seed)

    def _rows(
        self,
        trial_type: str,
        metric: Metric,
        chance: float,
        trials: NDArray[np.intp],
        ties: NDArray[np.intp],
        estimates: Estimates,
        bound: Ceiling | None = None,
    ) -> Iterator[Row]:
        differences = self._differences(estimates)
        comparisons = int(self._implied[trials].sum())
        for column, each in enumerate(self._outcomes):
            interval = estimates.interval(column, self._settings.level)
            yield Row(
                model=each.model,
                distance=each.distance,
                trial_type=trial_type,
                metric=metric,
                estimate=float(estimates.mean[column]),
                low=interval.low,
                high=interval.high,
                chance=chance,
                trials=trials.size,
                comparisons=comparisons,
                ties=int(ties[column]),
                ceiling=bound,
                difference=differences.get(column),
            )

    def _differences(self, estimates: Estimates) -> dict[int, Difference]:
        """Each model less the baseline with the same distance, by column."""
        base = {each.distance: at for at, each in enumerate(self._outcomes) if each.model == self._settings.baseline}
        pairs = [
            (at, base[each.distance])
            for at, each in enumerate(self._outcomes)
            if each.model != self._settings.baseline and each.distance in base
        ]
        p_values = [estimates.p_value(*pair) for pair in pairs]
        found = {}
        for pair, p_value, p_holm in zip(pairs, p_values, holm(p_values), strict=True):
            interval = estimates.difference(*pair, self._settings.level)
            gain = float(estimates.mean[pair[0]] - estimates.mean[pair[1]])
            found[pair[0]] = Difference(gain, interval.low, interval.high, p_value, p_holm)
        return found


def _broken(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """How many values in each column stand between right and wrong, because ties were broken."""
    broken: NDArray[np.intp] = np.count_nonzero((values > 0) & (values < 1), axis=0)
    return broken


def _estimates(
    values: NDArray[np.floating], covariance: Covariance, replicates: NDArray[np.float64], independent: int
) -> Estimates:
    return Estimates(values.mean(axis=0, dtype=np.float64), covariance, replicates, independent)

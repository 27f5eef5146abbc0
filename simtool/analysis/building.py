"""From outcomes to the numbers of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.noise_ceiling import Ceiling, ceiling
from simtool.analysis.inference import (
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
from simtool.analysis.metrics import Metric, Order
from simtool.analysis.pooling import Pool, pools, shared_judgments
from simtool.analysis.report import ALL, Difference, Report, ReportError, Row, Sample, Settings
from simtool.designs import parse_type
from simtool.errors import listed
from simtool.tables.observers import Observers
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["build_report"]


def build_report(outcomes: Sequence[Outcomes], settings: Settings, metrics: Sequence[Metric] = tuple(Metric)) -> Report:
    """Compute a report.

    Args:
        outcomes: those on the same trials share the ``Trials`` object. Several of one model and distance, on
            different trials, become one.
        settings: how.
        metrics: which; what is left out costs no time.

    Raises:
        ReportError: the baseline is not among the models; weights are to be used, and some are missing or all are 0.
    """
    if settings.baseline is not None and settings.baseline not in {each.model for each in outcomes}:
        models = listed(dict.fromkeys(each.model for each in outcomes), most=8)
        raise ReportError(f"the baseline {settings.baseline} is not among the models: {models}")
    sets = {id(each.trials): each.trials for each in outcomes}.values()
    if settings.weighted:
        for trials in sets:
            _check_weights(trials)
    pooled = pools(outcomes)
    analyses = [_Analysis(pool, settings) for pool in pooled]
    place = {(each.model, each.distance): at for at, each in reversed(list(enumerate(outcomes)))}
    rows = [row for analysis in analyses for row in analysis.rows(metrics)]
    return Report(
        rows=tuple(sorted(rows, key=lambda row: (_block_key(row), _order_key(row, place, settings.order)))),
        samples=tuple(analysis.sample for analysis in analyses),
        settings=settings,
        observers=_observers(sets),
        trial_types=(ALL, *dict.fromkeys(name for analysis in analyses for name in analysis.trial_types)),
        shared=max(shared_judgments(pool.sets) for pool in pooled),
        unequal=len(np.unique(np.concatenate([trials.weight for trials in sets]))) > 1,
    )


def _check_weights(trials: Trials) -> None:
    """Refuse weights that cannot be used."""
    if (missing := np.flatnonzero(np.isnan(trials.weight))).size:
        ids = listed(trials.trial_id[missing])
        raise ReportError(
            f"--weighted: {missing.size:,} of {len(trials):,} trials have no weight (trial_id {ids}); "
            "give them one, or leave --weighted out"
        )
    for kind in trials.types:
        own = trials.weight[trials.of_type(kind)]
        if own.size and not own.any():
            raise ReportError(f"--weighted: the weights of all {own.size:,} trials of {kind} are 0")


def _observers(sets: Iterable[Trials]) -> Observers | None:
    """Who judged several sets of trials: simulated observers if any of them did, people if they judged all."""
    found = {trials.observers for trials in sets}
    if Observers.SIMULATED in found:
        return Observers.SIMULATED
    return found.pop() if len(found) == 1 else None


def _block_key(row: Row) -> tuple[object, ...]:
    kind = () if row.trial_type == ALL else (-parse_type(row.trial_type).n_reference, row.trial_type)
    return (kind, list(Metric).index(row.metric))


def _order_key(row: Row, place: dict[tuple[str, str], int], order: Order) -> tuple[object, ...]:
    given = place[row.model, row.distance]
    return {Order.ACCURACY: (-row.estimate, given), Order.NAME: (row.model, row.distance)}.get(order, (given,))


class _Analysis:
    """All numbers of the models that were scored on the same trials."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._outcomes = pool.outcomes
        self._sets = len(pool.sets)
        self._settings = settings
        self._trials = pool.outcomes[0].trials
        self._units = units_of(self._trials)
        self._weight = self._trials.weight.astype(np.float64) if settings.weighted else None
        self._counts = np.ones(len(self._trials), bool) if self._weight is None else self._weight > 0
        self._comparisons = comparisons_of(self._trials, self._units)
        self._implied = np.bincount(self._comparisons.trial, minlength=len(self._trials))

    @property
    def sample(self) -> Sample:
        return self._sample(self._comparisons, np.arange(len(self._comparisons)))

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
        observations = self._comparisons
        credits = np.column_stack([each.credit for each in self._outcomes])
        stratum = self._trials.type_index[observations.trial]
        scopes: list[tuple[str, slice | int, NDArray[np.intp]]] = [(ALL, slice(None), np.arange(len(credits)))]
        scopes += [(str(kind), at, np.flatnonzero(stratum == at)) for at, kind in enumerate(self._trials.types)]
        scopes = [scope for scope in scopes if scope[2].size]
        found = self._estimates(observations, credits, stratum, [(strata, rows) for _, strata, rows in scopes])
        for (trial_type, _, rows), estimates in zip(scopes, found, strict=True):
            yield from self._rows(
                trial_type=trial_type,
                metric=Metric.TRIPLET_ACCURACY,
                chance=0.5,
                trials=np.unique(observations.trial[rows]),
                ties=_broken(credits[rows]),
                estimates=estimates,
                sample=self._sample(observations, rows),
                bound=ceiling(observations.images[rows], self._weights(observations.trial[rows])),
            )

    def _choice_rows(self, choices: Sequence[Metric]) -> Iterator[Row]:
        observations = choices_of(self._trials, self._units)
        for kind in self._trials.types:
            trials = self._trials.of_type(kind)
            metrics = [metric for metric in choices if metric.applies_to(kind)]
            if not trials.size or not metrics:
                continue
            selected = self._trials.selected[trials, : kind.n_select]
            columns = [
                kind.scores[metric.value].of(each.of_type(kind), selected)
                for metric in metrics
                for each in self._outcomes
            ]
            values = np.column_stack(columns).astype(np.float64)
            part, every = observations.take(trials), np.arange(trials.size)
            (estimates,) = self._estimates(part, values, np.zeros(trials.size, np.intp), [(slice(None), every)])
            for at, metric in enumerate(metrics):
                own = slice(at * len(self._outcomes), (at + 1) * len(self._outcomes))
                yield from self._rows(
                    trial_type=str(kind),
                    metric=metric,
                    chance=metric.chance(kind),
                    trials=trials,
                    ties=_broken(values[:, own]),
                    estimates=estimates.take(own),
                    sample=self._sample(part, every),
                )

    def _estimates(
        self,
        observations: Observations,
        values: NDArray[np.floating],
        stratum: NDArray[np.integer],
        scopes: Sequence[tuple[slice | int, NDArray[np.intp]]],
    ) -> list[Estimates]:
        """The means over some scopes, with their errors.

        Args:
            observations: N of them.
            values: (N, M).
            stratum: (N,) the trial type of each.
            scopes: which strata each pools, and which rows these are.
        """
        tells = self._tells(observations)
        known = slice(None) if tells.all() else np.flatnonzero(tells)  # a slice copies nothing
        weight = self._weights(observations.trial)
        sampled, told = observations.take(known), values[known]
        given = None if weight is None else weight[known]
        place = np.full(len(observations), -1)
        place[known] = np.arange(len(sampled))
        clusters = SharedClusters(sampled)
        with ThreadPoolExecutor(1) as pool:  # numpy lets the two run side by side
            drawing = pool.submit(self._resample, sampled, stratum[known], told, given)
            parts = [inside[inside >= 0] for inside in (place[rows] for _, rows in scopes)]
            covariances = [
                clusters.covariance(part, told[part], None if given is None else given[part]) for part in parts
            ]
            replicates = drawing.result()
        return [
            Estimates(
                mean=_mean(values[rows], None if weight is None else weight[rows]),
                covariance=covariance,
                replicates=replicates.means(strata),
                independent=sampled.independent(part),
            )
            for (strata, rows), part, covariance in zip(scopes, parts, covariances, strict=True)
        ]

    def _resample(
        self,
        observations: Observations,
        stratum: NDArray[np.integer],
        values: NDArray[np.floating],
        weight: NDArray[np.float64] | None,
    ) -> Replicates:
        settings, strata = self._settings, len(self._trials.types)
        return resample(observations, stratum, values, settings.replicates, settings.seed, weight, strata)

    def _weights(self, trials: NDArray[np.intp]) -> NDArray[np.float64] | None:
        """What each of some trials counts; None where all count the same."""
        return None if self._weight is None else self._weight[trials]

    def _tells(self, observations: Observations) -> NDArray[np.bool_]:
        """Which observations tell how people differ: those of known units, and of some weight."""
        tells: NDArray[np.bool_] = (observations.unit >= 0) & self._counts[observations.trial]
        return tells

    def _sample(self, observations: Observations, rows: NDArray[np.intp]) -> Sample:
        """What the error of some observations rests on."""
        trials = np.unique(observations.trial[rows])
        told = rows[self._tells(observations)[rows]]
        return Sample(
            units=self._units.name,
            unit_count=np.unique(observations.unit[told]).size,
            images=np.unique(observations.images[told]).size,
            trials=trials.size,
            people=self._units.people,
            nameless=self._units.nameless,
            unresampled=int((self._units.code[trials] < 0).sum()),
            sets=self._sets,
        )

    def _rows(
        self,
        trial_type: str,
        metric: Metric,
        chance: float,
        trials: NDArray[np.intp],
        ties: NDArray[np.intp],
        estimates: Estimates,
        sample: Sample,
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
                sample=sample,
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
            low, high = (None, None) if interval is None else (interval.low, interval.high)
            found[pair[0]] = Difference(gain, low, high, p_value, p_holm)
        return found


def _broken(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """How many values in each column stand between right and wrong, because ties were broken."""
    broken: NDArray[np.intp] = np.count_nonzero((values > 0) & (values < 1), axis=0)
    return broken


def _mean(values: NDArray[np.floating], weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The means of columns."""
    if weight is None:
        return np.asarray(values.mean(axis=0, dtype=np.float64))
    return np.asarray(weight @ values / weight.sum())

"""From outcomes to a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.baseline import Baseline
from simtool.analysis.ceilings import noise_ceilings
from simtool.analysis.choosing import model_checks
from simtool.analysis.consistency import consistencies
from simtool.analysis.curves import difficulty
from simtool.analysis.difficulty import Difficulty, Measure
from simtool.analysis.inference.estimation import Progress, silent
from simtool.analysis.kappa import Consistency
from simtool.analysis.kinship import kinship
from simtool.analysis.labels import oracles
from simtool.analysis.metrics import METRICS, Metric
from simtool.analysis.noise_ceiling import NoiseCeiling
from simtool.analysis.ordering import RowOrder, by_size
from simtool.analysis.participants import Spread, spreads
from simtool.analysis.prediction import Prediction
from simtool.analysis.predictions import predictions
from simtool.analysis.report import Report, ReportError, Row, Settings, Split
from simtool.analysis.rows import Rows
from simtool.analysis.study import Study
from simtool.errors import listed
from simtool.judgments.pooling import pooled_trials, shared_judgments
from simtool.tables.observers import Observers
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from simtool.text import counted, plural

__all__ = ["Pool", "build_report", "pools"]


def build_report(
    outcomes: Sequence[Outcomes],
    settings: Settings,
    metrics: Sequence[Metric] | None = None,
    progress: Progress = silent,
    measures: Sequence[Measure] = (),
) -> Report:
    """Compute a report.

    Args:
        outcomes: outcomes on the same trials share the ``Trials`` object. Outcomes of the same model and distance on
            different trials are pooled.
        settings: how the report is computed.
        metrics: the metrics to compute; None for all.
        progress: opens a display of the progress.
        measures: measures of difficulty. Accuracies are a function of each.

    If the trials state the labels of their images, models that know labels only are added
    (:func:`~simtool.analysis.labels.oracles`), unless models were scored on different trials.

    Raises:
        ReportError: the baseline is not among the models; weights are to be used and are missing, or all are 0; a
            column to divide the trials by does not exist or has too many values.
        TableError: intervals are to resample classes of images, which the trials do not name.
    """
    sets = {id(each.trials): each.trials for each in outcomes}.values()
    if settings.weighted:
        for trials in sets:
            _check_weights(trials)
    pooled = pools(outcomes)
    studies = [Study(pool.outcomes[0].trials, settings.weighted, len(pool.sets), settings.units) for pool in pooled]
    for study in studies:
        study.divide(settings.by, settings.trial_type)
    if len(studies) == 1 and studies[0].labels is not None:
        known = oracles(studies[0].trials, studies[0].labels)
        outcomes = [*outcomes, *known]
        pooled = [replace(pooled[0], outcomes=(*pooled[0].outcomes, *known))]
    entries = [(each.model, each.distance) for each in outcomes]
    baseline = None if settings.baseline is None else Baseline.named(settings.baseline, entries)
    wanted = tuple(METRICS.values()) if metrics is None else metrics
    rows: list[Row] = []
    family = kinship(outcomes)
    people: list[Spread] = []
    hard: list[Difficulty] = []
    ceilings: list[NoiseCeiling] = []
    alike: list[Consistency] = []
    predicted: list[Prediction] = []
    for study, pool in zip(studies, pooled, strict=True):
        computed = Rows(study, pool.outcomes, settings, baseline)
        rows += (replace(row, family=family[row.model]) for row in computed.of(wanted, progress))
        hard += (difficulty(each, study, pool.outcomes, computed.credit, settings, progress) for each in measures)
        people += spreads(study.trials, study.comparisons, pool.outcomes, computed.credit, study.weight)
        ceilings += noise_ceilings(study, pool.outcomes, wanted, settings.level)
        alike += consistencies(study, pool.outcomes, settings.level) if settings.consistency else ()
        predicted += predictions(study, pool.outcomes, settings.level)
    strata = {stratum.name: stratum for study in studies for stratum in study.strata if stratum.within is None}
    order = RowOrder(strata.values(), [each for pool in pooled for each in pool.outcomes], outcomes, settings.order)
    whole = order.sorted([row for row in rows if row.part is None])
    return Report(
        rows=whole,
        samples=tuple(study.sample(study.compared) for study in studies),
        settings=settings,
        observers=_observers(sets),
        trial_types=tuple(strata),
        shared=max(shared_judgments(pool.sets) for pool in pooled),
        consistency=tuple(alike),
        predictions=tuple(predicted),
        checks=tuple(model_checks(outcomes)),
        baseline=baseline,
        noise_ceilings=tuple(sorted(ceilings, key=lambda each: by_size(strata[each.trial_type]))),
        unequal=len(np.unique(np.concatenate([trials.weight for trials in sets]))) > 1,
        splits=tuple(_splits(whole, [row for row in rows if row.part is not None])),
        difficulties=tuple(hard),
        spreads=tuple(people),
        unlabelled=next((study.unlabelled for study in studies if study.unlabelled), None),
    )


def _splits(rows: Iterable[Row], parts: Sequence[Row]) -> Iterator[Split]:
    """Each accuracy that is divided into parts, with its parts."""
    found: dict[tuple[object, ...], dict[str, list[Row]]] = {}
    for part in parts:
        if part.part is not None:
            found.setdefault(_subject(part), {}).setdefault(part.part.by, []).append(part)
    whole = [row for row in rows if _subject(row) in found]
    for by in dict.fromkeys(by for own in found.values() for by in own):
        yield from (Split(by, row, tuple(found[_subject(row)][by])) for row in whole if by in found[_subject(row)])


def _subject(row: Row) -> tuple[object, ...]:
    """The model and the trials of a row, which its parts share."""
    return row.model, row.distance, row.trial_type, row.metric


@dataclass(frozen=True)
class Pool:
    """Sets of trials, and the outcomes of each model and distance that was scored on all of them."""

    sets: tuple[Trials, ...]
    outcomes: tuple[Outcomes, ...]


def pools(outcomes: Sequence[Outcomes]) -> list[Pool]:
    """Join the outcomes of each model and distance over the sets of trials that it was scored on.

    Args:
        outcomes: outcomes on the same trials share the ``Trials`` object.
    """
    place = {id(each.trials): at for at, each in reversed(list(enumerate(outcomes)))}
    models: dict[tuple[str, str], list[Outcomes]] = {}
    for each in outcomes:
        models.setdefault((each.model, each.distance), []).append(each)
    found: dict[tuple[int, ...], list[list[Outcomes]]] = {}
    for parts in models.values():
        parts.sort(key=lambda part: place[id(part.trials)])
        found.setdefault(tuple(id(part.trials) for part in parts), []).append(parts)
    return [_pool(members) for members in found.values()]


def _pool(models: Sequence[Sequence[Outcomes]]) -> Pool:
    """Join the outcomes of models that were scored on the same sets of trials."""
    sets = tuple(part.trials for part in models[0])
    trials = pooled_trials(sets)
    return Pool(sets, tuple(_joined(trials, parts) for parts in models))


def _joined(trials: Trials, parts: Sequence[Outcomes]) -> Outcomes:
    """Join the outcomes of a model on several sets of trials."""
    credit = _concatenated([part.credit for part in parts])
    found = ([getattr(part, name) for part in parts] for name in ("log_likelihood", "probability"))
    nats, probability = (None if any(values is None for values in own) else _concatenated(own) for own in found)
    stated = {part.lineage for part in parts if part.lineage is not None}
    lineage = stated.pop() if len(stated) == 1 else None
    return Outcomes(parts[0].model, parts[0].distance, trials, credit, nats, probability, lineage=lineage)


def _concatenated(values: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return values[0] if len(values) == 1 else np.concatenate(values)


def _check_weights(trials: Trials) -> None:
    """Refuse weights that cannot be used."""
    if (missing := np.flatnonzero(np.isnan(trials.weight))).size:
        ids = listed(trials.trial_id[missing])
        raise ReportError(
            f"--weighted: {missing.size:,} of {counted(len(trials), 'trials')} {plural(missing.size, 'have', 'has')} "
            f"no weight (trial_id {ids}); add the weights, or leave --weighted out"
        )
    for kind in trials.types:
        own = trials.weight[trials.of_type(kind)]
        if own.size and not own.any():
            raise ReportError(f"--weighted: the weight of every trial of {kind} is 0 ({counted(own.size, 'trials')})")


def _observers(sets: Iterable[Trials]) -> Observers | None:
    """Who judged several sets of trials: simulated observers if any of them did, people if they judged all."""
    found = {trials.observers for trials in sets}
    if Observers.SIMULATED in found:
        return Observers.SIMULATED
    return found.pop() if len(found) == 1 else None

"""The noise ceilings of a study, and how far models get towards them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from simtool.analysis.inference.agreement import agreement_covariance
from simtool.analysis.inference.intervals import Difference, Estimates, Interval, holm
from simtool.analysis.inference.values import Values
from simtool.analysis.metrics import Metric
from simtool.analysis.noise_ceiling import ENOUGH, NoiseCeiling, Reach, best_accuracy
from simtool.analysis.repeats import Repeats
from simtool.analysis.strata import Stratum
from simtool.analysis.study import Study
from simtool.designs import Odd
from simtool.designs.ties import chance_of_first
from simtool.tables.outcomes import Outcomes

__all__ = ["noise_ceilings"]

#: Numbers of credit in memory at once; more models than fit are measured in turns.
AT_ONCE = 1 << 26
#: The step of a numerical derivative.
STEP = 1e-5


def noise_ceilings(
    study: Study, outcomes: Sequence[Outcomes], metrics: Sequence[Metric], level: float, enough: int = ENOUGH
) -> Iterator[NoiseCeiling]:
    """The noise ceilings of each trial type: of triplet accuracy, and of odd-one-out accuracy.

    Trial types are not pooled: in a pool, the type with many repeated judgments would decide.

    Args:
        study: the trials.
        outcomes: of the models that were scored on them.
        metrics: those that are reported.
        level: of the intervals.
        enough: the least number of repeated judgments.
    """
    for stratum in study.strata:
        for metric in metrics:
            judged = _Judged.of(study, stratum, metric)
            if judged is not None:
                yield _Ceiling(study, judged, level).of(stratum.name, metric, outcomes, enough)


@dataclass(frozen=True)
class _Judged:
    """The N judgments of comparisons, or of sets of three images, in a stratum.

    Attributes:
        places: (N,) positions of comparisons, or (N, 2) of both comparisons of the pair that remains of a set.
        codes: columns that are equal for judgments of the same comparison or set, (N,) each.
        answer: (N,) from 0.
        answers: number of possible answers.
    """

    places: NDArray[np.intp]
    codes: list[NDArray[np.int32]]
    answer: NDArray[np.int8]
    answers: int

    @classmethod
    def of(cls, study: Study, stratum: Stratum, metric: Metric) -> _Judged | None:
        """The judgments that a metric counts; None if it has no noise ceiling in a stratum."""
        kind = stratum.trial_type
        if kind is None or stratum.within is not None or not metric.has_noise_ceiling or metric.chance(kind) is None:
            return None
        places = np.flatnonzero(stratum.over(study.comparisons))
        if isinstance(kind, Odd) and metric.of_trials is not None:
            return cls._sets(study, places.reshape(-1, kind.comparisons)[:, kind.pairs].reshape(-1, 2))
        return cls._comparisons(study, places)

    @classmethod
    def _comparisons(cls, study: Study, places: NDArray[np.intp]) -> _Judged:
        found = study.comparisons.take(places)
        first, last = np.minimum(found.near, found.far), np.maximum(found.near, found.far)
        return cls(places, [found.anchor, first, last], (found.near < found.far).astype(np.int8), 2)

    @classmethod
    def _sets(cls, study: Study, places: NDArray[np.intp]) -> _Judged:
        found = study.comparisons.take(places[:, 0])
        images = np.sort([found.anchor, found.near, found.far], axis=0)
        return cls(places, list(images), (images < found.far).sum(axis=0, dtype=np.int8), 3)

    @property
    def first(self) -> NDArray[np.intp]:
        """The position of the first comparison of each judgment, (N,)."""
        return self.places if self.places.ndim == 1 else self.places[:, 0]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> _Judged:
        """Some of the judgments."""
        return replace(
            self, places=self.places[rows], codes=[code[rows] for code in self.codes], answer=self.answer[rows]
        )

    def credit(self, outcomes: Outcomes) -> NDArray[np.floating]:
        """The credit of a model for each judgment, (N,)."""
        credit = outcomes.credit[self.places]
        return credit if credit.ndim == 1 else chance_of_first(credit)


class _Ceiling:
    """Computes the noise ceiling of some judgments."""

    def __init__(self, study: Study, judged: _Judged, level: float) -> None:
        person, weight = study.person_of(study.compared), study.weight_of(study.compared)
        judged = judged if weight is None else judged.take(weight[judged.first] > 0)
        self._repeats = Repeats.of(
            judged.codes,
            judged.answer,
            None if person is None else person[judged.first],
            None if weight is None else weight[judged.first],
        )
        self._level, self._judged = level, judged.take(self._repeats.rows)
        self._observed = study.compared.take(self._judged.first)
        self._weight = None if weight is None else weight[self._judged.first]

    def of(self, trial_type: str, metric: Metric, outcomes: Sequence[Outcomes], enough: int) -> NoiseCeiling:
        """The noise ceiling of a metric, if there are enough judgments; else their number."""
        found, answers = self._repeats, self._judged.answers
        counts = trial_type, metric, answers, found.distinct, found.repeated, len(found.rows)
        if len(found.rows) < max(enough, 2):
            return NoiseCeiling(*counts)
        size = max(1, AT_ONCE // len(found.rows))
        parts = [outcomes[start : start + size] for start in range(0, len(outcomes), size)]
        measured = [(part, self._estimates(part)) for part in parts]
        agreement = _interval(measured[0][1], -1, self._level)
        ends = (best_accuracy(value, answers) for value in (agreement.estimate, agreement.low, agreement.high))
        reached = [reach for part, estimates in measured for reach in self._reached(part, estimates, agreement)]
        return NoiseCeiling(*counts, agreement, Interval(*ends), _adjusted(reached))

    def _estimates(self, outcomes: Sequence[Outcomes]) -> Estimates:
        """The accuracies of some models on the repeated judgments, and the agreement in the last column."""
        columns = [self._judged.credit(each) for each in outcomes]
        values = Values.of([*columns, self._repeats.agreement.astype(np.float32)])
        weight = np.ones(len(self._repeats.rows)) if self._weight is None else self._weight
        rows = np.flatnonzero(self._observed.informative(self._weight))
        observed = self._observed.take(rows)
        with threadpool_limits(1, "blas"):
            covariance = agreement_covariance(observed, self._repeats.code[rows], values.take(rows), weight[rows])
        mean = values.mean(weight)
        return Estimates(mean, covariance, np.empty((len(mean), 0)), observed.effective_size())

    def _reached(self, outcomes: Sequence[Outcomes], estimates: Estimates, agreement: Interval) -> Iterator[Reach]:
        best = _Best.of(agreement, self._judged.answers)
        for column, each in enumerate(outcomes):
            yield Reach(
                each.model,
                each.distance,
                _interval(estimates, column, self._level),
                None if best is None else best.share(estimates, column, self._level),
                estimates.difference(column, len(outcomes), self._level),
                None if best is None else best.difference(estimates, column, self._level),
            )


@dataclass(frozen=True)
class _Best:
    """The estimated accuracy of the best model, as a function of the agreement, which is the last mean.

    Attributes:
        chance: the accuracy of guessing.
        accuracy: of the best model.
        slope: the derivative of the accuracy with respect to the agreement.
    """

    chance: float
    accuracy: float
    slope: float

    @classmethod
    def of(cls, agreement: Interval, answers: int) -> _Best | None:
        """The best model; None if people may agree no more often than by chance."""
        if agreement.low <= 1 / answers:
            return None
        found = agreement.estimate
        ends = max(found - STEP, 1 / answers), min(found + STEP, 1.0)
        low, high = (best_accuracy(end, answers) for end in ends)
        return cls(1 / answers, best_accuracy(found, answers), (high - low) / (ends[1] - ends[0]))

    def share(self, estimates: Estimates, column: int, level: float) -> Interval:
        """The part of the way from chance to the best model that a model gets, with an interval."""
        way = self.accuracy - self.chance
        share = (float(estimates.mean[column]) - self.chance) / way
        found = estimates.linearised(share, self._gradient(estimates, column, share) / way, level)
        low, high = (share if end is None else end for end in (found.low, found.high))
        return Interval(share, low, high)

    def difference(self, estimates: Estimates, column: int, level: float) -> Difference:
        """The accuracy of a model minus that of the best model."""
        gain = float(estimates.mean[column]) - self.accuracy
        return estimates.linearised(gain, self._gradient(estimates, column, 1.0), level)

    def _gradient(self, estimates: Estimates, column: int, times: float) -> NDArray[np.float64]:
        """The gradient of the accuracy of a model minus ``times`` that of the best model."""
        gradient = np.zeros(len(estimates.mean))
        gradient[column], gradient[-1] = 1, -times * self.slope
        return gradient


def _adjusted(reached: Sequence[Reach]) -> tuple[Reach, ...]:
    """The models with p values that are adjusted by Holm's method, for each kind of difference."""
    person = holm([each.from_person.p_value for each in reached])
    best = holm([None if each.from_best is None else each.from_best.p_value for each in reached])
    return tuple(
        replace(
            each,
            from_person=replace(each.from_person, p_holm=one),
            from_best=None if each.from_best is None else replace(each.from_best, p_holm=other),
        )
        for each, one, other in zip(reached, person, best, strict=True)
    )


def _interval(estimates: Estimates, column: int, level: float) -> Interval:
    return Interval(float(estimates.mean[column]), *estimates.interval(range(len(estimates.mean))[column], level))

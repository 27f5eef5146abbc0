"""The noise ceilings of a study, and how far models get towards them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.intervals import Difference, Estimates, Interval, holm
from simtool.analysis.judged import Judged, RepeatedJudgments
from simtool.analysis.metrics import Metric
from simtool.analysis.noise_ceiling import ENOUGH, NoiseCeiling, Reach, best_accuracy
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes

__all__ = ["noise_ceilings"]

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
            judged = Judged.of(study, stratum, metric)
            if judged is not None:
                yield _Ceiling(study, judged, level).of(stratum.name, metric, outcomes, enough)


class _Ceiling:
    """Computes the noise ceiling of some judgments."""

    def __init__(self, study: Study, judged: Judged, level: float) -> None:
        self._level, self._repeated = level, RepeatedJudgments(study, judged)

    def of(self, trial_type: str, metric: Metric, outcomes: Sequence[Outcomes], enough: int) -> NoiseCeiling:
        """The noise ceiling of a metric, if there are enough judgments; else their number."""
        found, answers = self._repeated.repeats, self._repeated.judged.answers
        counts = trial_type, metric, answers, found.distinct, found.repeated, len(found.rows)
        if len(found.rows) < max(enough, 2):
            return NoiseCeiling(*counts)
        measured = [(part, self._estimates(part)) for part in self._repeated.turns(outcomes)]
        agreement = measured[0][1].within(-1, self._level)
        ends = (best_accuracy(value, answers) for value in (agreement.estimate, agreement.low, agreement.high))
        reached = [reach for part, estimates in measured for reach in self._reached(part, estimates, agreement)]
        return NoiseCeiling(*counts, agreement, Interval(*ends), _adjusted(reached))

    def _estimates(self, outcomes: Sequence[Outcomes]) -> Estimates:
        """The accuracies of some models on the repeated judgments, and the agreement in the last column."""
        return self._repeated.estimates([self._repeated.judged.credit(each) for each in outcomes])

    def _reached(self, outcomes: Sequence[Outcomes], estimates: Estimates, agreement: Interval) -> Iterator[Reach]:
        best = _Best.of(agreement, self._repeated.judged.answers)
        for column, each in enumerate(outcomes):
            yield Reach(
                each.model,
                each.distance,
                estimates.within(column, self._level),
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

    def share(self, estimates: Estimates, column: int, level: float) -> Interval | None:
        """The part of the way from chance to the best model that a model gets; None without a standard error."""
        way = self.accuracy - self.chance
        share = (float(estimates.mean[column]) - self.chance) / way
        found = estimates.linearised(share, self._gradient(estimates, column, share) / way, level)
        return None if found.low is None or found.high is None else Interval(share, found.low, found.high)

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

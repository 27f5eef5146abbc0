"""The judgments of comparisons, or of sets of three images, that several people made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from simtool.analysis.inference.agreement import agreement_covariance
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.values import Values
from simtool.analysis.metrics import TRIPLET_ACCURACY, Metric
from simtool.analysis.repeats import Repeats
from simtool.analysis.strata import Stratum
from simtool.analysis.study import Study
from simtool.designs import Odd
from simtool.designs.ties import chance_of_first
from simtool.system.threads import available_cores
from simtool.tables.outcomes import Outcomes

__all__ = ["Judged", "RepeatedJudgments"]

#: Numbers of credit in memory at once; more models than fit are measured in turns.
AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Judged:
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
    def of(cls, study: Study, stratum: Stratum, metric: Metric) -> Judged | None:
        """The judgments that a metric counts; None if it has no noise ceiling in a stratum."""
        kind = stratum.trial_type
        if kind is None or stratum.within is not None or not metric.has_noise_ceiling or metric.chance(kind) is None:
            return None
        places = np.flatnonzero(stratum.over(study.comparisons))
        if isinstance(kind, Odd) and metric.of_trials is not None:
            return cls._sets(study, places.reshape(-1, kind.comparisons)[:, kind.pairs].reshape(-1, 2))
        return cls._comparisons(study, places)

    @classmethod
    def _comparisons(cls, study: Study, places: NDArray[np.intp]) -> Judged:
        found = study.comparisons.take(places)
        first, last = np.minimum(found.near, found.far), np.maximum(found.near, found.far)
        return cls(places, [found.anchor, first, last], (found.near < found.far).astype(np.int8), 2)

    @classmethod
    def _sets(cls, study: Study, places: NDArray[np.intp]) -> Judged:
        found = study.comparisons.take(places[:, 0])
        images = np.sort([found.anchor, found.near, found.far], axis=0)
        return cls(places, list(images), (images < found.far).sum(axis=0, dtype=np.int8), 3)

    @property
    def first(self) -> NDArray[np.intp]:
        """The position of the first comparison of each judgment, (N,)."""
        return self.places if self.places.ndim == 1 else self.places[:, 0]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Judged:
        """Some of the judgments."""
        return replace(
            self, places=self.places[rows], codes=[code[rows] for code in self.codes], answer=self.answer[rows]
        )

    def credit(self, outcomes: Outcomes) -> NDArray[np.floating]:
        """The credit of a model for each judgment, (N,)."""
        credit = outcomes.credit[self.places]
        return credit if credit.ndim == 1 else chance_of_first(credit)


class RepeatedJudgments:
    """The judgments that several people made of the same comparison or set.

    Args:
        study: the trials.
        judged: judgments of them.

    Attributes:
        judged: the n of these judgments that another person made too.
        repeats: how often people agree in them.
        weight: (n,) their weights; None for equal weights.
    """

    def __init__(self, study: Study, judged: Judged) -> None:
        person, weight = study.person_of(study.compared), study.weight_of(study.compared)
        judged = judged if weight is None else judged.take(weight[judged.first] > 0)
        self.repeats = Repeats.of(
            judged.codes,
            judged.answer,
            None if person is None else person[judged.first],
            None if weight is None else weight[judged.first],
        )
        self.judged = judged.take(self.repeats.rows)
        self.weight = None if weight is None else weight[self.judged.first]
        self._observed = study.compared.take(self.judged.first)

    @classmethod
    def of(cls, study: Study, stratum: Stratum, enough: int) -> RepeatedJudgments | None:
        """The repeated judgments of comparisons in a stratum; None if there are fewer than ``enough``, or than 2."""
        judged = Judged.of(study, stratum, TRIPLET_ACCURACY)
        repeated = None if judged is None else cls(study, judged)
        return None if repeated is None or len(repeated) < max(enough, 2) else repeated

    def __len__(self) -> int:
        return len(self.repeats.rows)

    def turns(self, outcomes: Sequence[Outcomes]) -> Iterator[Sequence[Outcomes]]:
        """Some of the outcomes at a time, so that a column of each fits in memory."""
        size = max(1, AT_ONCE // max(len(self), 1))
        for start in range(0, len(outcomes), size):
            yield outcomes[start : start + size]

    def estimates(self, columns: Sequence[NDArray[np.floating]]) -> Estimates:
        """The means of columns of values, (n,) each, and the agreement as one more column, the last; no replicates."""
        values = Values.of([*columns, self.repeats.agreement.astype(np.float32)])
        weight = np.ones(len(self)) if self.weight is None else self.weight
        rows = np.flatnonzero(self._observed.informative(self.weight))
        observed = self._observed.take(rows)
        code = self.repeats.code[rows]
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_cores()) as pool:
            covariance = agreement_covariance(observed, code, values.take(rows), weight[rows], pool)
        mean = values.mean(weight)
        mean[-1] = np.average(self.repeats.agreement, weights=weight)  # in full precision
        return Estimates(mean, covariance, np.empty((len(mean), 0)), observed.effective_size())

"""The rows of a report: each metric of each model in each stratum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.baseline import Baseline
from simtool.analysis.contrasts import Contrast, contrasts
from simtool.analysis.controls import TrainingGain, families, training_gains
from simtool.analysis.inference.estimation import Measured, Progress, estimate, silent
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values
from simtool.analysis.metrics import Metric, OfTrials
from simtool.analysis.report import Part, Row, Sample, Settings
from simtool.analysis.strata import Mask, Stratum
from simtool.analysis.study import Study
from simtool.designs import TrialType
from simtool.system.threads import available_cores
from simtool.tables.outcomes import Outcomes

__all__ = ["Rows"]


@dataclass(frozen=True)
class _Block:
    """The rows of one metric in one stratum: where their estimates are, and what they count.

    Attributes:
        stratum: the stratum.
        metric: the metric.
        chance: the expected value of guessing.
        sample: the data that the intervals depend on.
        comparisons: number of comparisons that the trials imply.
        ties: (M,) the number of observations in which a tie matters, for each model and distance.
        place: the position of the measured values, and of the stratum among theirs.
        columns: the columns of the values.
        part: the part of a larger stratum that the stratum is; None if it is none.
    """

    stratum: Stratum
    metric: Metric
    chance: float
    sample: Sample
    comparisons: int
    ties: NDArray[np.int64]
    place: tuple[int, int]
    columns: slice
    part: Part | None = None


class Rows:
    """Computes the rows of the models that were scored on the same trials.

    Attributes:
        credit: the credit of each comparison, for each model and distance.
    """

    def __init__(
        self, study: Study, outcomes: Sequence[Outcomes], settings: Settings, baseline: Baseline | None = None
    ) -> None:
        self._study = study
        self._outcomes = outcomes
        self._settings = settings
        self._baseline = baseline
        self.credit = Values.of([each.credit for each in outcomes])
        self._inside = [stratum.over(study.comparisons) for stratum in study.strata]
        self._measured: list[Measured] = []
        self._entries = [(each.model, each.distance) for each in outcomes]
        self._pairs = self._compared()
        self._families = families(outcomes)

    def of(self, metrics: Sequence[Metric], progress: Progress = silent) -> Iterator[Row]:
        """The rows of some metrics, in no particular order."""
        blocks = [block for metric in metrics if metric.of_trials is None for block in self._of_comparisons(metric)]
        compared = {block.stratum.name: block for block in blocks}
        for stratum, inside in zip(self._study.strata, self._inside, strict=True):
            if stratum.trial_type is not None:
                blocks += self._of_trials(stratum, stratum.trial_type, inside, metrics, compared.get(stratum.name))
        found = estimate(self._measured, self._settings.replicates, self._settings.seed, progress)
        for block in blocks:
            measured, stratum_at = block.place
            yield from self._rows(block, found[measured][stratum_at].take(block.columns))

    def _compared(self) -> list[tuple[int, int]]:
        """The positions of the models that are compared. Of all pairs, the more accurate model comes first."""
        if self._baseline is not None:
            return self._baseline.pairs(self._entries)
        if not self._settings.compare:
            return []
        weight = self._study.weight_of(self._study.compared)
        mean = self.credit.mean(np.ones(len(self.credit)) if weight is None else weight)
        return list(combinations(np.argsort(-mean, kind="stable").tolist(), 2))

    def _measure(self, observations: Observations, values: Values, strata: Sequence[Mask]) -> int:
        """Note values to estimate the means of; return their position."""
        self._measured.append(Measured(observations, values, strata, self._study.weight_of(observations)))
        return len(self._measured) - 1

    def _of_comparisons(self, metric: Metric) -> list[_Block]:
        """A metric that is the credit of each comparison."""
        place = self._measure(self._study.compared, self.credit, self._inside)
        with ThreadPoolExecutor(available_cores()) as pool:
            strata = range(len(self._inside))
            found = list(pool.map(lambda at: self._block(metric, self._study.strata[at], (place, at)), strata))
        return [block for block in found if block is not None]

    def _block(self, metric: Metric, stratum: Stratum, place: tuple[int, int]) -> _Block | None:
        """The rows of the credit of comparisons in a stratum; None if chance differs in it."""
        study, inside = self._study, self._inside[place[1]]
        if (chance := study.chance(metric, stratum)) is None:
            return None
        sample = study.sample(study.compared if inside.all() else study.compared.take(inside))
        ties, part = self.credit.fractions(inside), self._part(stratum, inside)
        return _Block(stratum, metric, chance, sample, int(inside.sum()), ties, place, slice(None), part)

    def _part(self, stratum: Stratum, inside: Mask) -> Part | None:
        """The part of a larger stratum that a stratum is; None if it is none."""
        if stratum.within is None or stratum.by is None:
            return None
        names = [each.name for each in self._study.strata if each.within is None]
        share = self._study.share(inside, self._inside[names.index(stratum.within)])
        return Part(stratum.by, stratum.name, share)

    def _of_trials(
        self, stratum: Stratum, kind: TrialType, inside: Mask, metrics: Sequence[Metric], compared: _Block | None
    ) -> Iterator[_Block]:
        """The metrics that are values of whole trials, in a stratum of one trial type.

        ``compared`` is the block of the credit of comparisons. If a trial has one comparison, and the metric is its
        credit, the estimates are the same.
        """
        wanted = [
            (metric, metric.of_trials, chance)
            for metric in metrics
            if metric.of_trials is not None and (chance := metric.chance(kind)) is not None
        ]
        if not wanted:
            return
        selected = self._study.trials.selected[stratum.mask, : kind.n_select]
        same = all(_is_credit(of_trials, kind, selected[:1]) for _, of_trials, _ in wanted)
        if compared is not None and self.credit.are_halves and same:
            for metric, _, chance in wanted:
                yield replace(compared, metric=metric, chance=chance)
            return
        rows = np.flatnonzero(inside)
        with ThreadPoolExecutor(available_cores()) as pool:
            credits = list(pool.map(lambda each: each.credit.take(rows).reshape(-1, kind.comparisons), self._outcomes))
            jobs = [(of_trials, credit) for _, of_trials, _ in wanted for credit in credits]
            values = Values.of(list(pool.map(lambda job: job[0](kind, job[1], selected), jobs)))
        models, ties = len(credits), values.fractions()
        observations = self._study.chosen.take(stratum.mask)
        place = self._measure(observations, values, [np.ones(len(observations), bool)])
        sample = self._study.sample(observations)
        for at, (metric, _, chance) in enumerate(wanted):
            columns = slice(at * models, (at + 1) * models)
            count = int(inside.sum())
            yield _Block(stratum, metric, chance, sample, count, ties[columns], (place, 0), columns)

    def _rows(self, block: _Block, estimates: Estimates) -> Iterator[Row]:
        """The rows of a block."""
        level = self._settings.level
        compared, gains = self._contrasts(block, estimates), self._gains(block, estimates)
        for column, each in enumerate(self._outcomes):
            low, high = estimates.interval(column, level)
            own = compared[column]
            yield Row(
                model=each.model,
                distance=each.distance,
                trial_type=block.stratum.within or block.stratum.name,
                metric=block.metric,
                estimate=float(estimates.mean[column]),
                low=low,
                high=high,
                chance=block.chance,
                trials=block.sample.trials,
                comparisons=block.comparisons,
                ties=int(block.ties[column]),
                sample=block.sample,
                difference=own[0].difference if own and self._baseline is not None else None,
                p_chance=estimates.p_value(column, block.chance),
                contrasts=own,
                part=block.part,
                untrained=None if each.lineage is None else each.lineage.untrained,
                gains=gains.get(column, ()),
            )

    def _contrasts(self, block: _Block, estimates: Estimates) -> list[tuple[Contrast, ...]]:
        """The contrasts of each model in a block."""
        found: list[list[Contrast]] = [[] for _ in self._outcomes]
        if self._pairs:
            equal = self._first_equal(block)
            listed = contrasts(estimates, self._entries, self._pairs, equal, self._settings.level)
            for (column, _), contrast in zip(self._pairs, listed, strict=True):
                found[column].append(contrast)
        return [tuple(each) for each in found]

    def _gains(self, block: _Block, estimates: Estimates) -> dict[int, tuple[TrainingGain, ...]]:
        """The differences of models from their controls in a block."""
        if not self._families:
            return {}
        equal = self._first_equal(block)
        return training_gains(estimates, self._outcomes, self._families, equal, self._settings.level)

    def _first_equal(self, block: _Block) -> NDArray[np.int64]:
        """For each model the first one that has the same values in a block, (M,)."""
        measured, stratum_at = block.place
        own = self._measured[measured]
        return own.values.first_equal(own.strata[stratum_at])[block.columns]


def _is_credit(of_trials: OfTrials, kind: TrialType, selected: NDArray[np.integer]) -> bool:
    """Whether a metric of a trial, (1, K), is the credit of its only comparison, where this is right, wrong or tied."""
    halves = np.array([[0], [0.5], [1]], np.float32)
    return kind.comparisons == 1 and np.array_equal(of_trials(kind, halves, selected.repeat(3, axis=0)), halves[:, 0])

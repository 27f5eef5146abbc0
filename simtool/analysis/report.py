"""The numbers of a report. Every view (terminal, figure, page, files) shows these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from simtool.analysis.baseline import Baseline
from simtool.analysis.choosing import ModelCheck
from simtool.analysis.contrasts import Contrast
from simtool.analysis.controls import TrainingGain
from simtool.analysis.difficulty import Difficulty
from simtool.analysis.failure import ReportError
from simtool.analysis.inference.intervals import Difference
from simtool.analysis.inference.units import Units
from simtool.analysis.kappa import Consistency
from simtool.analysis.metrics import Metric, Order
from simtool.analysis.noise_ceiling import NoiseCeiling
from simtool.analysis.participants import Spread
from simtool.analysis.prediction import Prediction
from simtool.analysis.strata import ALL
from simtool.errors import listed, wrong_usage
from simtool.tables.observers import Observers
from simtool.text import counted

__all__ = ["Block", "Part", "Report", "ReportError", "Row", "Sample", "Settings", "Split"]


@dataclass(frozen=True)
class Settings:
    """How a report is computed.

    Attributes:
        level: level of the intervals.
        replicates: number of replicates.
        seed: seed of the replicates.
        baseline: the model that the other models are compared with, ``MODEL`` or ``MODEL:DISTANCE``; None for none.
        order: order of the rows.
        weighted: whether each trial counts by its weight; else all trials count the same.
        by: columns of the trials that divide them into strata.
        trial_type: the type of the trials that strata divide; None for all trials.
        consistency: whether the report holds the error consistency of models and people.
        compare: whether all models are compared with each other; with a baseline, all are compared with it.
        units: the units in which intervals resample images.
    """

    level: float = 0.95
    replicates: int = 1000
    seed: int = 0
    baseline: str | None = None
    order: Order = Order.ACCURACY
    weighted: bool = False
    by: tuple[str, ...] = ()
    trial_type: str | None = None
    consistency: bool = False
    compare: bool = False
    units: Units = Units.IMAGE


@dataclass(frozen=True)
class Sample:
    """The data that intervals depend on.

    Attributes:
        clusters: ``participants``, ``sessions`` or ``trials``.
        cluster_count: number of clusters.
        images: number of images, or of their classes or groups if these are resampled; 0 if images are fixed.
        trials: number of trials.
        participants: number of participants that the table names.
        unnamed: number of trials that name no participant.
        not_resampled: number of trials that belong to no cluster. The intervals do not depend on them.
        sets: number of sets of trials that were pooled.
        units: the units in which images are resampled.
    """

    clusters: str
    cluster_count: int
    images: int
    trials: int
    participants: int
    unnamed: int
    not_resampled: int
    sets: int = 1
    units: Units = Units.IMAGE


@dataclass(frozen=True)
class Part:
    """A part of a stratum.

    Attributes:
        by: what divides the stratum: ``labels``, or a column of the trials.
        name: name of the part.
        share: the share of the comparisons of the stratum (with weights, of their weights) that are in the part.
    """

    by: str
    name: str
    share: float


@dataclass(frozen=True)
class Row:
    """A number with its interval.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        trial_type: name of the stratum: a trial type, or ``all``.
        metric: the metric.
        estimate: the mean of the metric.
        low: lower end of its interval.
        high: upper end of its interval.
        chance: the expected value of guessing.
        trials: number of scored trials.
        comparisons: number of comparisons that these imply.
        ties: number of observations in which a tie matters: comparisons for triplet accuracy, else trials.
        sample: the data that the interval depends on.
        difference: difference from the baseline; None without a baseline, and for the baseline itself.
        part: the part of the stratum that the number is about; None for the whole stratum.
        p_chance: two-sided p value of the hypothesis that the true value is chance; None if it cannot be tested.
        contrasts: differences from other models.
        untrained: the seed of the initial weights of an untrained control; None for other models.
        family: the name that models share which are the same network, or are trained alike.
        gains: differences from its untrained controls. The last of several models with the same controls also holds
            the difference of the means.
    """

    model: str
    distance: str
    trial_type: str
    metric: Metric
    estimate: float
    low: float
    high: float
    chance: float
    trials: int
    comparisons: int
    ties: int
    sample: Sample
    difference: Difference | None = None
    part: Part | None = None
    p_chance: float | None = None
    contrasts: tuple[Contrast, ...] = ()
    untrained: int | None = None
    gains: tuple[TrainingGain, ...] = ()
    family: str = ""


@dataclass(frozen=True)
class Split:
    """The accuracy of a model, divided into parts of the data.

    Attributes:
        by: what divides the data: ``labels``, or a column of the trials.
        whole: the accuracy over all parts.
        parts: the accuracy in each part.
    """

    by: str
    whole: Row
    parts: tuple[Row, ...]

    @property
    def advantage(self) -> float:
        """The accuracy minus chance: the sum of :attr:`advantages`."""
        return self.whole.estimate - self.whole.chance

    @property
    def advantages(self) -> tuple[float, ...]:
        """The part of the advantage over chance that each part of the data adds: its share times its own advantage."""
        return tuple(row.part.share * (row.estimate - row.chance) for row in self.parts if row.part is not None)


@dataclass(frozen=True)
class Block:
    """The rows of one metric in one stratum: the content of one table or panel.

    Attributes:
        trial_type: name of the stratum.
        metric: the metric.
        rows: the rows.
        noise_ceiling: the noise ceiling of all rows; None for metrics and strata without one, or if rows differ in
            trials.
    """

    trial_type: str
    metric: Metric
    rows: tuple[Row, ...]
    noise_ceiling: NoiseCeiling | None = None

    @property
    def chance(self) -> float:
        """The expected value of guessing."""
        return self.rows[0].chance

    @property
    def agreement(self) -> float | None:
        """The agreement with one other person; None if there is no noise ceiling."""
        found = None if self.noise_ceiling is None else self.noise_ceiling.agreement
        return None if found is None else found.estimate

    @property
    def ends(self) -> list[float]:
        """The values that an axis must show: chance, and the ends of the intervals."""
        return [self.chance, *(end for row in self.rows for end in (row.low, row.high))]

    @property
    def same_trials(self) -> bool:
        """Whether all rows count the same number of trials and comparisons."""
        return len({(row.trials, row.comparisons) for row in self.rows}) == 1

    @cached_property
    def _controls(self) -> frozenset[tuple[str, str]]:
        return frozenset((name, row.distance) for row in self.rows for gain in row.gains for name in gain.controls)

    def is_control(self, row: Row) -> bool:
        """Whether a row is the control of another row."""
        return (row.model, row.distance) in self._controls

    def repeats(self, other: Block) -> bool:
        """Whether both blocks show the same numbers because each of their trials implies a single comparison."""
        single = all(row.trials == row.comparisons for row in self.rows)
        mine, theirs = ({(row.model, row.distance, row.estimate) for row in block.rows} for block in (self, other))
        return single and self.trial_type == other.trial_type and mine == theirs


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        rows: block by block, first the stratum ``all``, then each trial type, and within them each metric.
        samples: the resampled data of each set of trials.
        settings: how the report was computed.
        observers: who judged; None if the tables do not state it.
        trial_types: the names of the strata: ``all``, and the types of the trials.
        unequal: whether trials have different weights.
        shared: number of judgments that several of the pooled sets of trials contain.
        splits: triplet accuracies by the labels of the display and by columns of the trials.
        difficulties: accuracies as a function of the difficulty of comparisons, by each measure that was wanted.
        spreads: triplet accuracies for each participant, by type of trials.
        unlabelled: why there are no strata by labels, if the trials state labels that contradict each other.
        consistency: the error consistency of every two models, and of models with people, if it was wanted.
        predictions: how well choice models predict each trial type, if the outcomes hold log-likelihoods.
        baseline: the model that the other models are compared with; None for none.
        noise_ceilings: the noise ceilings, by trial type and metric, of each set of trials.
        checks: the checks of models that were fitted to choices, on choices that they make themselves.
    """

    rows: tuple[Row, ...]
    samples: tuple[Sample, ...]
    settings: Settings
    observers: Observers | None
    trial_types: tuple[str, ...]
    unequal: bool = False
    shared: int = 0
    splits: tuple[Split, ...] = ()
    difficulties: tuple[Difficulty, ...] = ()
    spreads: tuple[Spread, ...] = ()
    unlabelled: str | None = None
    consistency: tuple[Consistency, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    baseline: Baseline | None = None
    noise_ceilings: tuple[NoiseCeiling, ...] = ()
    checks: tuple[ModelCheck, ...] = ()

    def __repr__(self) -> str:
        return f"Report({counted(len(self.rows), 'rows')}, {', '.join(self.trial_types)})"

    @property
    def title(self) -> str:
        """The headline of every view."""
        who = "" if self.observers is None else f" ({self.observers} observers)"
        return f"Prediction of similarity judgments{who}"

    @cached_property
    def places(self) -> dict[tuple[str, str], int]:
        """The place of each model and distance among the rows."""
        return {(row.model, row.distance): at for at, row in reversed(list(enumerate(self.rows)))}

    def is_baseline(self, row: Row) -> bool:
        """Whether a row is of the model that the others are compared with."""
        found = self.baseline
        return found is not None and row.model == found.model and found.distance in (None, row.distance)

    def blocks(self, metrics: Iterable[Metric] | None = None) -> Iterator[Block]:
        """The blocks to show: without ``all`` if there is one type only, and without repetitions of an earlier block.

        Args:
            metrics: the metrics to show; None for all.
        """
        wanted = None if metrics is None else set(metrics)
        types = {row.trial_type for row in self.rows} - {ALL}
        grouped: dict[tuple[str, Metric], list[Row]] = {}
        for row in self.rows:
            if (wanted is None or row.metric in wanted) and (row.trial_type != ALL or len(types) != 1):
                grouped.setdefault((row.trial_type, row.metric), []).append(row)
        shown: list[Block] = []
        for (trial_type, metric), rows in grouped.items():
            ceilings = [each for each in self.noise_ceilings if (each.trial_type, each.metric) == (trial_type, metric)]
            block = Block(trial_type, metric, tuple(rows), ceilings[0] if len(ceilings) == 1 else None)
            if not any(block.repeats(earlier) for earlier in shown):
                shown.append(block)
        yield from shown

    @wrong_usage()
    def of_type(self, trial_type: str) -> Report:
        """The part about one trial type (or ``all``).

        Raises:
            ReportError: no trial is of that type.
        """
        if trial_type not in self.trial_types:
            raise ReportError(f"no trial is of type {trial_type}; the types are {listed(self.trial_types, most=8)}")
        return replace(
            self,
            rows=tuple(row for row in self.rows if row.trial_type == trial_type),
            difficulties=tuple(each.of_type(trial_type) for each in self.difficulties),
            splits=tuple(split for split in self.splits if split.whole.trial_type == trial_type),
            spreads=tuple(each for each in self.spreads if trial_type in (ALL, each.people.trial_type)),
            consistency=tuple(each for each in self.consistency if each.trial_type == trial_type),
            predictions=tuple(each for each in self.predictions if each.trial_type == trial_type),
            noise_ceilings=tuple(each for each in self.noise_ceilings if each.trial_type == trial_type),
            checks=tuple(each for each in self.checks if trial_type in (ALL, each.check.trial_type)),
        )

"""The numbers of a report: one source for the terminal, the figure, the page and the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simtool.analysis.noise_ceiling import Ceiling
from simtool.analysis.metrics import Metric, Order
from simtool.errors import SimtoolError, listed
from simtool.tables.observers import Observers

__all__ = [
    "ALL",
    "Block",
    "Difference",
    "Report",
    "ReportError",
    "Row",
    "Sample",
    "Settings",
]

#: The trial type that pools every comparison.
ALL = "all"
#: Units or images below which a report cautions.
FEW = 5


class ReportError(SimtoolError):
    """What was asked for cannot be reported from these outcomes."""


@dataclass(frozen=True)
class Settings:
    """How a report is computed.

    Attributes:
        level: of the intervals.
        replicates: how many resamples.
        seed: of the resamples.
        baseline: the model that the others are compared with; None for no comparison.
        order: of the rows.
        weighted: whether each trial counts as much as its weight says; else all count the same.
    """

    level: float = 0.95
    replicates: int = 1000
    seed: int = 0
    baseline: str | None = None
    order: Order = Order.ACCURACY
    weighted: bool = False


@dataclass(frozen=True)
class Difference:
    """A model's accuracy less the baseline's, with the same distance and on the same trials.

    Where the sample is too small to test it (fewer than 2 people or images, or a difference that does not vary),
    all but the estimate is None.

    Attributes:
        estimate: the difference.
        low: of its interval.
        high: of its interval.
        p_value: two-sided.
        p_holm: the same, adjusted by Holm's method for all differences of a block that were tested.
    """

    estimate: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Sample:
    """What the intervals of some models resample.

    Attributes:
        units: ``participants``, ``sessions`` or ``trials``.
        unit_count: how many.
        images: how many images the trials show.
        trials: how many trials.
        people: how many participants the table names.
        nameless: how many trials name no participant.
        unresampled: how many trials belong to no unit, so that the intervals do not rest on them.
        sets: how many sets of trials were pooled.
    """

    units: str
    unit_count: int
    images: int
    trials: int
    people: int
    nameless: int
    unresampled: int
    sets: int = 1


@dataclass(frozen=True)
class Row:
    """One number with its interval.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trial_type: a type, or ``all``.
        metric: what is counted as right.
        estimate: the share that is right.
        low: of its interval.
        high: of its interval.
        chance: what guessing gives.
        trials: how many trials were scored.
        comparisons: how many comparisons they imply.
        ties: for triplet accuracy, the tied comparisons; else the trials in which ties had to be broken.
        sample: what the interval rests on.
        ceiling: what repeated comparisons say; None for other metrics than triplet accuracy.
        difference: from the baseline; None without one, and for the baseline itself.
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
    ceiling: Ceiling | None = None
    difference: Difference | None = None


@dataclass(frozen=True)
class Block:
    """The rows of one metric on one trial type: what one table or one panel shows."""

    trial_type: str
    metric: Metric
    rows: tuple[Row, ...]

    @property
    def chance(self) -> float:
        """What guessing gives."""
        return self.rows[0].chance

    @property
    def ceiling(self) -> Ceiling | None:
        """What repeated comparisons say of every row; None for other metrics, or where rows differ in trials."""
        found = {row.ceiling for row in self.rows}
        return found.pop() if len(found) == 1 else None

    @property
    def bound(self) -> float | None:
        """The upper bound of every row; None where there is none."""
        return None if self.ceiling is None else self.ceiling.upper

    @property
    def same_trials(self) -> bool:
        """Whether all rows count the same number of trials and comparisons."""
        return len({(row.trials, row.comparisons) for row in self.rows}) == 1


@dataclass(frozen=True)
class Report:
    """Everything that a report says.

    Attributes:
        rows: block by block: ``all`` first, then the trial types; in each the metrics.
        samples: what was resampled; one for each set of trials.
        settings: how it was computed.
        observers: who judged; None where the tables do not say.
        trial_types: ``all``, and the types of the trials.
        unequal: whether trials have different weights.
        shared: how many judgments are in several of the sets of trials that were pooled.
    """

    rows: tuple[Row, ...]
    samples: tuple[Sample, ...]
    settings: Settings
    observers: Observers | None
    trial_types: tuple[str, ...]
    unequal: bool = False
    shared: int = 0

    @property
    def title(self) -> str:
        """The headline of every format."""
        who = "" if self.observers is None else f" ({self.observers} observers)"
        return f"Prediction of similarity judgments{who}"

    def blocks(self, metrics: Sequence[Metric] = tuple(Metric)) -> Iterator[Block]:
        """The blocks to show: without ``all`` where there is only one type."""
        types = {row.trial_type for row in self.rows} - {ALL}
        grouped: dict[tuple[str, Metric], list[Row]] = {}
        for row in self.rows:
            if row.metric in metrics and (row.trial_type != ALL or len(types) != 1):
                grouped.setdefault((row.trial_type, row.metric), []).append(row)
        for (trial_type, metric), rows in grouped.items():
            yield Block(trial_type, metric, tuple(rows))

    def of_type(self, trial_type: str) -> Report:
        """The part about one trial type (or ``all``).

        Raises:
            ReportError: no trial is of that type.
        """
        if trial_type not in self.trial_types:
            raise ReportError(f"no trial is of type {trial_type}; there are {listed(self.trial_types, most=8)}")
        return replace(self, rows=tuple(row for row in self.rows if row.trial_type == trial_type))

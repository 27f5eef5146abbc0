"""How well a model predicts each participant: the distribution of accuracies over people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import clusters_of
from simtool.analysis.inference.values import Values
from simtool.judgments.comparisons import Comparisons
from simtool.system.compiled import compiled
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["LEAST", "People", "Spread", "spreads"]

#: The least number of comparisons of a participant whose accuracy is shown. That of fewer is mostly chance.
LEAST = 20


@dataclass(frozen=True)
class People:
    """The participants (or sessions, where participants are not recorded) who judged trials of a type.

    Attributes:
        called: ``participants`` or ``sessions``.
        trial_type: the type of their trials.
        names: their names, in ascending order.
        comparisons: the number of comparisons of each.
        left_out: number of others, who have fewer than :data:`LEAST` comparisons.
    """

    called: str
    trial_type: str
    names: tuple[str, ...]
    comparisons: tuple[int, ...]
    left_out: int


@dataclass(frozen=True)
class Spread:
    """The accuracies of a model for each participant.

    Attributes:
        model: label of the embeddings.
        distance: name of the distance.
        people: the P participants.
        accuracies: (P,) triplet accuracy on the judgments of each.
        deviation: the standard deviation of the accuracies.
        expected: the standard deviation that would result if the model predicted all participants equally well: the
            root of the mean squared standard error, in which the trials of a participant are independent.
    """

    model: str
    distance: str
    people: People
    accuracies: tuple[float, ...]
    deviation: float
    expected: float

    @property
    def between(self) -> float:
        """The standard deviation of participants without the error of their accuracies; 0 if there is none left."""
        return math.sqrt(max(0.0, self.deviation**2 - self.expected**2))

    @property
    def worst(self) -> int:
        """The position of the participant whom the model predicts worst."""
        return int(np.argmin(self.accuracies))

    @property
    def best(self) -> int:
        """The position of the participant whom the model predicts best."""
        return int(np.argmax(self.accuracies))

    def quantiles(self, *shares: float) -> tuple[float, ...]:
        """Quantiles of the accuracies, for example the quartiles for .25, .5 and .75."""
        return tuple(float(each) for each in np.quantile(self.accuracies, shares))


def spreads(
    trials: Trials,
    comparisons: Comparisons,
    outcomes: Sequence[Outcomes],
    credit: Values,
    weight: NDArray[np.float64] | None = None,
    least: int = LEAST,
) -> Iterator[Spread]:
    """The accuracies for each participant, for each type of trials and each model.

    A type that fewer than two participants judged often enough has none.

    Args:
        trials: T trials.
        comparisons: the C comparisons that they imply.
        outcomes: the M models.
        credit: C credits of M models.
        weight: (T,) weight of each trial; None for equal weights.
        least: the least number of comparisons of a participant.
    """
    clusters = clusters_of(trials)
    if clusters.name == "trials":
        return
    column = trials.participant if clusters.name == "participants" else trials.session
    names = np.array(sorted({name for name in column.used().names.to_pylist() if name.strip()}), object)
    kinds = len(trials.types)
    group = np.where(clusters.code < 0, -1, clusters.code * kinds + trials.type_index)
    found = _Sums.of(comparisons.trial, credit, group, clusters.count * kinds, weight)
    for at, kind in enumerate(trials.types):
        own = slice(at, None, kinds)
        enough = (found.comparisons[own] >= least) & (found.weight[own] > 0)
        if np.count_nonzero(enough) < 2:
            continue
        left_out = np.count_nonzero(~enough & (found.comparisons[own] > 0))
        counts = found.comparisons[own][enough].tolist()
        people = People(clusters.name, str(kind), tuple(names[enough]), tuple(counts), int(left_out))
        accuracy, variance = found.accuracy[own][enough], found.variance[own][enough]
        for model, mean, error in zip(outcomes, accuracy.T, variance.T, strict=True):
            deviation, expected = float(mean.std(ddof=1)), float(np.sqrt(error.mean()))
            yield Spread(model.model, model.distance, people, tuple(mean.tolist()), deviation, expected)


@dataclass(frozen=True)
class _Sums:
    """Sums over the trials of G groups, for M models.

    Attributes:
        comparisons: (G,) their number.
        trials: (G,) the number of trials.
        weight: (G,) the sum of weights of comparisons.
        squares: (G,) the sum over trials of the squared sum of weights.
        credit: (G, M) the weighted sum of credit.
        products: (G, M) the sum over trials of the sum of weights times the weighted credit.
        credit_squares: (G, M) the sum over trials of the squared weighted credit.
    """

    comparisons: NDArray[np.int64]
    trials: NDArray[np.int64]
    weight: NDArray[np.float64]
    squares: NDArray[np.float64]
    credit: NDArray[np.float64]
    products: NDArray[np.float64]
    credit_squares: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        trial: NDArray[np.int32],
        credit: Values,
        group: NDArray[np.integer],
        count: int,
        weight: NDArray[np.float64] | None,
    ) -> _Sums:
        """Sum the credit of comparisons, whose trials ascend, over groups of trials, (T,); -1 is no group."""
        numbers, totals = np.zeros((2, count), np.int64), np.zeros((2, count))
        sums = np.zeros((3, count, credit.models))
        own = np.ones(len(group)) if weight is None else weight
        _add(credit.multiples, trial, group, own, numbers, totals, sums)
        unit = credit.unit
        return cls(numbers[0], numbers[1], totals[0], totals[1], sums[0] * unit, sums[1] * unit, sums[2] * unit**2)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """(G, M) mean credit; NaN without comparisons."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.credit / self.weight[:, np.newaxis])

    @property
    def variance(self) -> NDArray[np.float64]:
        """(G, M) of the mean credit, if trials are independent: T / (T - 1) sum of (weight (credit - mean))^2 / W^2."""
        mean, trials = self.accuracy, self.trials[:, np.newaxis]
        squares = self.credit_squares - 2 * mean * self.products + mean**2 * self.squares[:, np.newaxis]
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.maximum(squares, 0) / self.weight[:, np.newaxis] ** 2 * trials / (trials - 1)
        return np.where(trials > 1, variance, 0.0)


@compiled
def _add(
    values: NDArray[np.number],
    trial: NDArray[np.int32],
    group: NDArray[np.integer],
    weight: NDArray[np.float64],
    numbers: NDArray[np.int64],
    totals: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Add the comparisons of each trial to the sums of its group."""
    own = np.zeros(values.shape[1])
    start = 0
    while start < trial.size:
        stop = start
        own[:] = 0
        while stop < trial.size and trial[stop] == trial[start]:
            for column in range(own.size):
                own[column] += values[stop, column]
            stop += 1
        where, scale = group[trial[start]], weight[trial[start]]
        if where >= 0:
            whole = scale * (stop - start)
            numbers[0, where] += stop - start
            numbers[1, where] += 1
            totals[0, where] += whole
            totals[1, where] += whole * whole
            for column in range(own.size):
                credit = scale * own[column]
                sums[0, where, column] += credit
                sums[1, where, column] += credit * whole
                sums[2, where, column] += credit * credit
        start = stop

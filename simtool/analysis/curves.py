"""Computes accuracies as a function of difficulty, and compares types of trials at equal difficulty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.difficulty import LEAST, Curve, Difficulty, Gap, Grade, Measure, judges
from simtool.analysis.inference.estimation import Measured, Progress, estimate, silent
from simtool.analysis.inference.intervals import Estimates
from simtool.analysis.inference.values import Values
from simtool.analysis.report import ReportError, Settings
from simtool.analysis.strata import Mask
from simtool.analysis.study import Study
from simtool.tables.outcomes import Outcomes

__all__ = ["difficulty"]

Weights = NDArray[np.float64]


def difficulty(
    measure: Measure,
    study: Study,
    outcomes: Sequence[Outcomes],
    credit: Values,
    settings: Settings,
    progress: Progress = silent,
) -> Difficulty:
    """The accuracy of each model as a function of difficulty, for each type of trials with enough comparisons.

    Args:
        measure: the measure of difficulty.
        study: the trials.
        outcomes: the M models.
        credit: C credits of M models.
        settings: how intervals are computed.
        progress: opens a display of the progress.

    Raises:
        ReportError: the difficulty of too few comparisons is known.
        TableError: a table that measures difficulty lacks images.
    """
    grades = measure.grades(study.trials, study.comparisons)
    graded = _Graded(study, grades, credit)
    if not graded.kinds:
        raise ReportError(
            f"--difficulty: no type of trials has {LEAST} comparisons whose difficulty by {measure.name} is known; "
            "give a table of embeddings in its place"
        )
    found = estimate(graded.measured(), settings.replicates, settings.seed, progress)
    curves = graded.curves(found, outcomes, settings.level)
    gaps = graded.gaps(found, outcomes, settings.level)
    names = tuple(grade.label for grade in graded.grades)
    who = judges(study.trials, graded.kinds)
    return Difficulty(measure.name, measure.explanation, names, tuple(curves), tuple(gaps), tuple(who))


class _Graded:
    """Comparisons with grades of difficulty, and weights that make the grades equally frequent in all types.

    Attributes:
        grades: the grades that hold comparisons with a weight above 0.
        kinds: the types with enough comparisons, as positions in ``Trials.types``; those with more references first.
    """

    def __init__(self, study: Study, grades: Sequence[Grade], credit: Values) -> None:
        self._study, self._credit = study, credit
        types = study.trials.types
        self._kind = study.trials.type_index[study.comparisons.trial]
        found = [(grade, *self._weighted(grade)) for grade in grades]
        self.grades = [grade for grade, rows, _ in found if rows.size]
        self._members = [(rows, weight) for _, rows, weight in found if rows.size]
        sizes = [np.bincount(self._kind[rows], minlength=len(types)) for rows, _ in self._members]
        table = np.array(sizes, np.int64).reshape(-1, len(types))
        enough = np.flatnonzero(table.sum(axis=0) >= LEAST).tolist()
        self.kinds: list[int] = sorted(enough, key=lambda kind: types[kind], reverse=True)
        self._sizes = table[:, self.kinds]
        self._balances = self._balanced() if self.kinds else []

    def _weighted(self, grade: Grade) -> tuple[NDArray[np.intp], Weights]:
        """The comparisons of a grade with a weight above 0, and their weights."""
        weight = np.ones(grade.rows.size) if grade.weight is None else grade.weight
        own = self._study.weight_of(self._study.compared)
        if own is None:
            return grade.rows, weight
        weight = weight * own[grade.rows]
        return grade.rows[weight > 0], weight[weight > 0]

    def _balanced(self) -> list[Weights]:
        """Weights of all comparisons, (C,), that add up to 1 in each type.

        The first keep the shares of the grades in each type. The second, which exist if several types share a grade,
        give each grade that all types have the same share in all types: its mean share.
        """
        sums = np.zeros(self._sizes.shape)
        for own, (rows, weight) in zip(sums, self._members, strict=True):
            own[:] = np.bincount(self._kind[rows], weight, len(self._study.trials.types))[self.kinds]
        found = [self._spread(np.divide(1.0, sums.sum(axis=0))[np.newaxis].repeat(len(sums), axis=0))]
        shared = sums * (self._sizes.min(axis=1, keepdims=True) >= LEAST)
        if len(self.kinds) > 1 and shared.any():
            wanted = (shared / shared.sum(axis=0)).mean(axis=1, keepdims=True)
            factor = np.zeros(sums.shape)
            np.divide(wanted, shared, out=factor, where=shared > 0)
            found.append(self._spread(factor))
        return found

    def _spread(self, factor: Weights) -> Weights:
        """The weights of all comparisons, (C,), times a factor of their grade and type, (grades, kinds)."""
        spread, of_type = np.zeros(len(self._kind)), np.zeros(len(self._study.trials.types))
        for own, (rows, weight) in zip(factor, self._members, strict=True):
            of_type[self.kinds] = own
            spread[rows] += of_type[self._kind[rows]] * weight
        return spread

    def measured(self) -> list[Measured]:
        """The values to estimate: of each grade, of each balance, and of each balance and pair of types.

        The strata of a grade are the types that it holds; those of a balance are all types.
        """
        found = [self._by_type(rows, weight) for rows, weight in self._members]
        for balance in self._balances:
            rows = np.flatnonzero(balance)
            found.append(self._by_type(rows, balance[rows]))
        for balance in self._balances if len(self._balances) > 1 else []:
            for first, second in combinations(self.kinds, 2):
                rows = np.flatnonzero((balance > 0) & ((self._kind == first) | (self._kind == second)))
                values = self._differing(rows, balance[rows], first)
                found.append(self._measure(rows, balance[rows], values, [np.ones(rows.size, bool)]))
        return found

    def _by_type(self, rows: NDArray[np.intp], weight: Weights) -> Measured:
        own = self._kind[rows]
        masks = [own == kind for kind in self.kinds if np.any(own == kind)]
        return self._measure(rows, weight, self._credit.take(rows), masks)

    def _measure(self, rows: NDArray[np.intp], weight: Weights, values: Values, strata: Sequence[Mask]) -> Measured:
        # The scale of weights does not matter; weights up to 1 keep small ones away from rounding.
        scaled = weight / weight.max()
        return Measured(self._study.compared.take(rows), values, strata, None if scaled.min() == 1 else scaled)

    def _differing(self, rows: NDArray[np.intp], weight: Weights, first: int) -> Values:
        """Values whose means are the differences of two types, and whose influences are those of the differences.

        The weights of each type add up to the same sum, so half of the total. With c the credit, and a and b the
        accuracies of the types, the values are (a - b) + 2 (c - a) for the first type, and (a - b) - 2 (c - b) for the
        second: their mean is a - b. A last column of zeros serves to subtract nothing.
        """
        credit = self._credit.take(rows)
        of_first = self._kind[rows] == first
        means = [credit.mean(weight * mask) for mask in (of_first, ~of_first)]
        values = np.zeros((rows.size, credit.models + 1), np.float32)
        own = values[:, :-1]
        own[:] = credit.multiples
        own *= credit.unit
        own[of_first] -= means[0]
        own[~of_first] -= means[1]
        own[~of_first] *= -1
        own *= 2
        own += means[0] - means[1]
        return Values(values)

    def curves(
        self, found: Sequence[Sequence[Estimates]], outcomes: Sequence[Outcomes], level: float
    ) -> Iterator[Curve]:
        """The accuracies of each type and model."""
        grades, balances = found[: len(self.grades)], found[len(self.grades) :][: len(self._balances)]
        present = np.cumsum(self._sizes > 0, axis=1) - 1
        for at, kind in enumerate(self.kinds):
            sizes = tuple(self._sizes[:, at].tolist())
            own = [
                each[place] if size else None for each, place, size in zip(grades, present[:, at], sizes, strict=True)
            ]
            for column, model in enumerate(outcomes):
                means = tuple(None if each is None else each.within(column, level) for each in own)
                whole = [each[at].within(column, level) for each in balances]
                trial_type = str(self._study.trials.types[kind])
                equal = whole[1] if len(whole) > 1 else None
                yield Curve(model.model, model.distance, trial_type, means, sizes, whole[0], equal)

    def gaps(self, found: Sequence[Sequence[Estimates]], outcomes: Sequence[Outcomes], level: float) -> Iterator[Gap]:
        """The differences of every two types, for each model; none if types share no grade."""
        pairs = list(combinations(self.kinds, 2))
        columns = [(column, len(outcomes)) for column in range(len(outcomes))]
        own = found[len(self.grades) + len(self._balances) :]
        differences = [estimates.differences(columns, level) for (estimates,) in own]
        for at, (first, second) in enumerate(pairs if own else []):
            types = [str(self._study.trials.types[kind]) for kind in (first, second)]
            for column, each in enumerate(outcomes):
                plain, equal = differences[at][column], differences[len(pairs) + at][column]
                yield Gap(each.model, each.distance, types[0], types[1], plain, equal)

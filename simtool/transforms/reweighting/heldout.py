"""Outcomes of a reweighting on judgments that it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.judgments.folds import Fold, HoldOut, comparison_folds, size_matched
from simtool.judgments.single import single_trials
from simtool.scoring.plan import Plan
from simtool.system.threads import Workers
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from simtool.transforms.reweighting.learner import Learner, Recipe

__all__ = ["HeldOut", "Names", "held_out"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Names:
    """The names of models in reports.

    Attributes:
        identity: the vectors before they learn.
        learned: the reweighting.
        control: the control of the size of the training part, where images or classes are held out.
    """

    identity: str
    learned: str
    control: str


@dataclass(frozen=True)
class HeldOut:
    """Outcomes out of fold.

    Attributes:
        trials: that were tested; of held-out images or classes, a trial ``2-choose-1`` for each tested comparison.
        outcomes: of the identity, the reweighting, and its control if there is one.
        penalties: of each fold, as the nested folds chose it.
    """

    trials: Trials
    outcomes: tuple[Outcomes, ...]
    penalties: tuple[float, ...]


def held_out(
    vectors: Array,
    trials: Trials,
    recipe: Recipe,
    hold_out: HoldOut,
    names: Names,
    folds: int,
    repeats: int = 1,
    seed: int = 0,
    advance: Callable[[int], object] = lambda _: None,
) -> HeldOut:
    """Test a reweighting on judgments that it has not seen.

    Args:
        vectors: (n, D), a vector for each of ``trials.images``.
        trials: the trials.
        recipe: what to learn.
        hold_out: what a fold holds out.
        names: of the outcomes, in reports.
        folds: the number of folds.
        repeats: the number of splits; only held-out images and classes need several, because a split tests few
            comparisons. A comparison counts in the first split that tests it.
        seed: of the first split; the others count on from it.
        advance: called with a number of fits after them: with ``Recipe.fits`` for each fold and each control, or with
            fewer where a fold tests no comparison.

    Raises:
        FoldError: the judgments cannot be held out so.
    """
    tests = _Tests(vectors, trials, recipe, seed, advance)
    by_image = hold_out in (HoldOut.IMAGE, HoldOut.CLASS)
    tasks: list[_Task] = []
    for number in range(seed, seed + repeats):
        split = comparison_folds(trials, tests.comparisons, hold_out, folds, number)
        tasks += [_Task(fold, hold_out, is_control=False) for fold in split]
        if by_image:
            controls = size_matched(tests.comparisons, split, number)
            tasks += [_Task(fold, HoldOut.TRIAL, is_control=True) for fold in controls]
    identity, learned, control = (np.full(len(tests.comparisons), np.nan, np.float32) for _ in range(3))
    penalties = []
    with Workers() as workers, closing(tests):
        for task, result in zip(tasks, workers.map(tests.run, tasks), strict=True):
            if task.is_control:
                result.fill(control, result.learned)
            else:
                result.fill(identity, result.identity)
                result.fill(learned, result.learned)
                penalties.append(result.penalty)
    tested = ~np.isnan(learned)
    if not tested.all():
        trials = single_trials(trials, tests.comparisons.take(tested))
    labels = (names.identity, names.learned, *((names.control,) if by_image else ()))
    made = [
        Outcomes(name, str(recipe.similarity), trials, credit[tested])
        for name, credit in zip(labels, (identity, learned, control), strict=False)
    ]
    return HeldOut(trials, tuple(made), tuple(penalties))


@dataclass(frozen=True)
class _Task:
    """A fold to learn and to test.

    Attributes:
        fold: masks over comparisons, (C,).
        nested: the scheme of the nested folds.
        is_control: whether it is the control of the size of the training part.
    """

    fold: Fold
    nested: HoldOut
    is_control: bool


@dataclass(frozen=True)
class _Result:
    """The test of a fold.

    Attributes:
        rows: the positions of the tested comparisons.
        identity: the credit before learning, (rows,).
        learned: the credit after learning, (rows,).
        penalty: that was used.
    """

    rows: NDArray[np.intp]
    identity: NDArray[np.float32]
    learned: NDArray[np.float32]
    penalty: float

    def fill(self, credit: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        """Enter values of the tested comparisons where the credit of all comparisons, (C,), is unknown."""
        unknown = np.isnan(credit[self.rows])
        credit[self.rows[unknown]] = values[unknown]


class _ClosedError(Exception):
    """Nobody waits for the result."""


class _Tests:
    """Learns and tests folds of the comparisons of trials; the arguments are those of :func:`held_out`.

    Attributes:
        comparisons: the C comparisons of the trials.
    """

    def __init__(
        self, vectors: Array, trials: Trials, recipe: Recipe, seed: int, advance: Callable[[int], object]
    ) -> None:
        self.comparisons = Comparisons.of(trials)
        self._learner = Learner(vectors, trials, recipe, seed, self._step)
        self._vectors, self._trials, self._plan = vectors, trials, Plan.of(trials)
        self._said, self._lock, self._closed = advance, Lock(), Event()

    def run(self, task: _Task) -> _Result:
        """Learn from the training part of a fold, and test on the other."""
        learned = self._learner.learn(self.comparisons.take(task.fold.train), task.nested, self._advance)
        rows = np.flatnonzero(task.fold.test)
        before, after = (
            model.credit(self._vectors, self._trials, self._plan)[rows] for model in (learned.identity, learned)
        )
        return _Result(rows, before, after, learned.penalty)

    def close(self) -> None:
        """End what other threads learn, for example because the user interrupts the program."""
        self._closed.set()

    def _step(self) -> None:
        if self._closed.is_set():
            raise _ClosedError

    def _advance(self, fits: int) -> None:
        with self._lock:  # several threads learn at a time
            self._said(fits)

"""Out-of-fold predictions of a psychological embedding, and the check of its fit on simulated choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.choice.rule import Floats
from simtool.judgments.folds import Fold
from simtool.psychological.embedding import PsychologicalEmbedding
from simtool.psychological.fitting import Settings, fitted, refitted
from simtool.psychological.sample import Sample
from simtool.system.threads import mapped
from simtool.tables.checks import Check

__all__ = ["HeldOut", "held_out"]

_Credit = NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """The predictions for all trials, each by an embedding that was fitted without it.

    Attributes:
        credit: (C,) of people's comparisons.
        probability: (C,) of people's comparisons, by Luce's choice between two.
        log_probability: (T,) of people's selections.
        dimensions: the number of dimensions in each fold.
        checks: one for each type of trials.
    """

    credit: _Credit
    probability: _Credit
    log_probability: Floats
    dimensions: tuple[int, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class _Tested:
    """The results of one fold: the embedding, and its predictions for the T trials and C comparisons of the test.

    Attributes:
        embedding: fitted to the other folds.
        log_probability: (T,) of people's selections.
        predicted: (C,) each: the credit and the probability of people's comparisons; the credit of comparisons that
            the embedding makes, by itself and by an embedding that was fitted to such choices.
    """

    embedding: PsychologicalEmbedding
    log_probability: Floats
    predicted: tuple[_Credit, _Credit, _Credit, _Credit]


def held_out(
    sample: Sample,
    folds: Sequence[Fold],
    dimensions: int | None,
    settings: Settings,
    advance: Callable[[], object] = lambda: None,
) -> HeldOut:
    """Predict each trial by an embedding that was fitted to the other folds.

    Folds are fitted in parallel. The result does not depend on the number of cores.

    Args:
        sample: T trials.
        folds: of the trials; each trial tests once.
        dimensions: D; None to choose them in each fold.
        settings: of the fits.
        advance: called after each fold.
    """
    implied = sample.trials.implied
    predicted = np.empty((4, implied.sum()), np.float32)
    log_probability, used = np.empty(len(sample)), []
    for fold, tested in zip(folds, _tests(sample, folds, dimensions, settings), strict=True):
        log_probability[fold.test] = tested.log_probability
        predicted[:, np.repeat(fold.test, implied)] = tested.predicted
        used.append(tested.embedding.dimensions)
        advance()
    checks = tuple(_checks(sample, predicted[[0, 2, 3]], log_probability))
    return HeldOut(predicted[0], predicted[1], log_probability, tuple(used), checks)


def _tests(sample: Sample, folds: Sequence[Fold], dimensions: int | None, settings: Settings) -> Iterator[_Tested]:
    def test(numbered: tuple[int, Fold]) -> _Tested:
        number, fold = numbered
        embedding = fitted(sample.take(fold.train), dimensions, settings)
        simulated = embedding.simulated(sample, np.random.default_rng([settings.seed, number]))
        again = refitted(embedding, simulated.take(fold.train), settings)
        people, own = sample.take(fold.test), simulated.take(fold.test)
        predicted = (*embedding.judged(people), embedding.judged(own)[0], again.judged(own)[0])
        return _Tested(embedding, embedding.log_probability(people), predicted)

    return mapped(test, enumerate(folds), waiting=len(folds))


def _checks(sample: Sample, credits: NDArray[np.float32], log_probability: Floats) -> Iterator[Check]:
    implied = sample.trials.implied
    for number, kind in enumerate(sample.trials.types):
        own = sample.trials.type_index == number
        if own.any():
            people, itself, again = credits[:, np.repeat(own, implied)].mean(axis=1, dtype=np.float64).tolist()
            yield Check(str(kind), int(own.sum()), people, itself, again, float(-log_probability[own].mean()))

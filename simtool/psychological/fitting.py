"""Fit an embedding to trials: choose the penalty, and the dimensions unless they are given, by held-out likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.folds import FoldError, HoldOut, trial_folds
from simtool.psychological.embedding import PsychologicalEmbedding
from simtool.psychological.objective import Objective
from simtool.psychological.optimisation import minimised, with_fitted_kernel
from simtool.psychological.parameters import Parameters
from simtool.psychological.sample import Sample

__all__ = ["DIMENSIONS", "Settings", "fitted", "refitted"]

#: Penalties in the order of the search. Strong ones come first, because they leave fewer local minima.
_PENALTIES = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
#: Numbers of dimensions in the order of the search.
DIMENSIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
#: The search for the dimensions ends after so many numbers that are no better.
_PATIENCE = 2
#: One of so many parts of the trials chooses the penalty and the dimensions.
_PARTS = 10


@dataclass(frozen=True)
class Settings:
    """The choices that a fit does not make itself.

    Attributes:
        exponent: of the distance.
        restarts: random starts, of which the best is kept.
        seed: of the starts and of the held-out part.
        hold_out: the unit of the held-out part.
    """

    exponent: float = 1.0
    restarts: int = 2
    seed: int = 0
    hold_out: HoldOut = HoldOut.TRIAL


@dataclass(frozen=True)
class _Candidate:
    """Parameters that were fitted to most of the trials, and their fit to the others.

    Attributes:
        parameters: as they were fitted.
        calibrated: the same points, with the similarity function that suits the other trials.
        others: the other trials.
    """

    parameters: Parameters
    calibrated: PsychologicalEmbedding
    others: Sample

    @cached_property
    def loss(self) -> float:
        """Minus the mean log-probability of the other trials."""
        return -float(self.calibrated.log_probability(self.others).mean())


_loss = attrgetter("loss")


def fitted(
    sample: Sample,
    dimensions: int | None,
    settings: Settings,
    tried: Callable[[int, float], object] = lambda _number, _loss: None,
) -> PsychologicalEmbedding:
    """Fit an embedding to trials.

    A tenth of the trials is held out first: it chooses the penalty and the dimensions, and the scales are fitted to it.
    The points are then fitted to all trials. Without ``dimensions``, larger numbers are tried until two of them have a
    lower held-out likelihood than the best.

    Args:
        sample: the trials. Images that they do not show stay at the origin.
        dimensions: D.
        settings: of the fit.
        tried: called with each number of dimensions, and minus its mean log-probability of held-out trials, in nats.

    Raises:
        FoldError: there are fewer than 10 trials.
        ChoiceError: a type of trials has no choice rule.
    """
    held_out = _held_out(sample, settings)
    training, validation = sample.take(~held_out), sample.take(held_out)
    candidates: list[_Candidate] = []
    for number in DIMENSIONS if dimensions is None else (dimensions,):
        candidates.append(min(_path(training, validation, number, settings), key=_loss))
        tried(number, candidates[-1].loss)
        losses = [each.loss for each in candidates]
        if losses.index(min(losses)) < len(losses) - _PATIENCE:
            break
    kept = min(candidates, key=_loss)
    found = minimised(Objective(sample.displays(), settings.exponent, kept.calibrated.penalty), kept.parameters)
    return kept.calibrated.with_points_of(found)


def refitted(embedding: PsychologicalEmbedding, sample: Sample, settings: Settings) -> PsychologicalEmbedding:
    """Fit an embedding of the same dimensions to other selections, from new starts; penalty and scales stay."""
    return embedding.with_points_of(_started(sample, embedding.dimensions, embedding.penalty, settings))


def _held_out(sample: Sample, settings: Settings) -> NDArray[np.bool_]:
    """The trials that choose, (T,): a part of the unit that the test holds out, or of the trials if there are few."""
    try:
        return trial_folds(sample.trials, settings.hold_out, _PARTS, settings.seed)[0].test
    except FoldError:
        return trial_folds(sample.trials, HoldOut.TRIAL, _PARTS, settings.seed)[0].test


def _path(training: Sample, validation: Sample, dimensions: int, settings: Settings) -> Iterator[_Candidate]:
    """Fits with ever weaker penalties, each from the one before, until the held-out loss grows."""
    displays, others = training.displays(), Objective(validation.displays(), settings.exponent)
    parameters, lowest = _started(training, dimensions, _PENALTIES[0], settings), np.inf
    for penalty in _PENALTIES:
        parameters = minimised(Objective(displays, settings.exponent, penalty), parameters)
        calibrated = with_fitted_kernel(others, parameters)
        candidate = _Candidate(parameters, PsychologicalEmbedding(calibrated, settings.exponent, penalty), validation)
        yield candidate
        if candidate.loss > lowest:
            return
        lowest = candidate.loss


def _started(sample: Sample, dimensions: int, penalty: float, settings: Settings) -> Parameters:
    """The best of several fits from random starts."""
    objective = Objective(sample.displays(), settings.exponent, penalty)
    shape = (dimensions, len(sample.trials.types), len(sample.groups))
    seeds = range(settings.seed, settings.seed + settings.restarts)
    starts = (Parameters.random(sample.shown(), *shape, seed) for seed in seeds)
    return min((minimised(objective, start) for start in starts), key=lambda found: objective(found)[0])

"""The temperature of a model: how strongly its distances decide what people choose.

A model with the distance d and the temperature T has the similarity exp(-d / T), from which Luce's choice rule gives
the probability of each selection. A small temperature predicts choices with certainty, an infinite one guesses. It is
fitted by maximum likelihood to some trials, and tested on others.

Each type of trials has its own temperature, because people are not equally certain in all displays: one temperature for
both types of birds-16 costs the network's 2-choose-1 trials .002 to .007 nats of .55 to .62.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from simtool.choice.rule import ChoiceError, ChoiceRule
from simtool.choice.table import rule_of
from simtool.designs import TrialType
from simtool.designs.trial_type import Positions
from simtool.judgments.folds import HoldOut, trial_folds
from simtool.scoring.shown import ShownDistances
from simtool.system.threads import available_cores
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

__all__ = ["ChoiceModel", "fit_temperature"]

#: Positions of the training and of the test trials of each fold.
Folds: TypeAlias = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]

#: The number of folds.
FOLDS = 5
#: Trials whose likelihood is computed at a time, so that temporary arrays stay small.
_STEP = 1 << 14
#: The largest inverse temperature, for distances that spread by 1 within a trial.
_COLDEST = 1e4
#: Settings of the optimiser: the temperature is accurate to about six digits.
_STRICT: Mapping[str, float] = {"ftol": 1e-14, "gtol": 1e-9}


def fit_temperature(rule: ChoiceRule, distances: NDArray[np.float64], selected: Positions) -> float:
    """The temperature under which selections are most probable; infinite if guessing is not worse.

    Args:
        rule: of the trials.
        distances: (t, M) of the pairs that the rule reads.
        selected: (t, K).
    """
    spread = float(np.ptp(distances, axis=1).mean())
    if not spread:
        return math.inf
    scaled = distances / -spread

    def loss(inverse: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = 0.0, 0.0
        for start in range(0, len(scaled), _STEP):
            part = slice(start, start + _STEP)
            value, gradient = rule.likelihood(inverse[0] * scaled[part], selected[part])
            total -= float(value.sum())
            slope -= float(np.einsum("ij,ij->", gradient, scaled[part]))
        return total / len(scaled), np.array([slope / len(scaled)])

    start = np.array([1.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, _COLDEST)], options=_STRICT)
    inverse = float(found.x[0])
    return spread / inverse if inverse > 0 else math.inf


def _temperatures(rule: ChoiceRule, distances: NDArray[np.float64], selected: Positions, folds: Folds) -> list[float]:
    """The temperature of each fold."""
    # The optimiser works on one number: threads of BLAS would only wait for each other.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_cores()) as pool:
        return list(pool.map(lambda fold: fit_temperature(rule, distances[fold[0]], selected[fold[0]]), folds))


@dataclass(frozen=True)
class ChoiceModel:
    """Folds of trials, to fit and test the temperatures of several models and distances.

    Attributes:
        trials: T trials.
        folds: for each type that occurs, the training and the test trials of each fold: positions among its trials.
    """

    trials: Trials
    folds: Mapping[TrialType, Folds]

    @classmethod
    def of(cls, trials: Trials, seed: int = 0) -> ChoiceModel:
        """Hold out whole trials, in five folds of each type.

        Raises:
            ChoiceError: there is a single trial of a type, or its design has no choice rule.
        """
        folds = {}
        for kind in trials.types:
            rows = trials.of_type(kind)
            if not rows.size:
                continue
            rule_of(kind)
            if rows.size == 1:
                raise ChoiceError(f"there is only one {kind} trial, and a choice model needs two; leave it out")
            split = trial_folds(trials.take(rows), HoldOut.TRIAL, min(FOLDS, rows.size), seed)
            folds[kind] = [(np.flatnonzero(fold.train), np.flatnonzero(fold.test)) for fold in split]
        return cls(trials, folds)

    def fitted(self, outcomes: Outcomes, shown: ShownDistances) -> Outcomes:
        """Outcomes with the log-likelihood of each trial and the probability of each comparison.

        Each trial is predicted with the temperature that was fitted to the trials of its type in the other folds.
        """
        trials = self.trials
        log_likelihood, inverse = np.empty(len(trials), np.float32), np.empty(len(trials))
        for kind, folds in self.folds.items():
            rule, rows = rule_of(kind), trials.of_type(kind)
            distances, selected = shown.of_type(kind, rule.pairs), trials.selected[rows, : kind.n_select]
            for (_, test), found in zip(folds, _temperatures(rule, distances, selected, folds), strict=True):
                inverse[rows[test]] = 1 / found
                log_likelihood[rows[test]] = rule.log_probability(distances[test] / -found, selected[test])
        probability = expit(shown.gaps() * np.repeat(inverse, trials.implied)).astype(np.float32)
        return replace(outcomes, log_likelihood=log_likelihood, probability=probability)

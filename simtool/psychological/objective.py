"""The function that a fit minimises: minus the log-likelihood of the selections, and the penalty of the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simtool.choice.rule import Floats
from simtool.psychological.displays import Displays
from simtool.psychological.parameters import Parameters
from simtool.psychological.similarity import decay_of_pairs, log_similarity, slopes_of

__all__ = ["Objective"]

#: The precision of the prior of log-weights: most weights are within a factor of e of each other.
_WEIGHT_PRECISION = 4.0


@dataclass(frozen=True)
class Objective:
    """Minus the logarithm of the posterior density of parameters, divided by the number of trials.

    The prior of each coordinate is normal with mean 0 and variance 1 / penalty. It keeps the points of images that few
    trials show near the others.

    Attributes:
        displays: the trials, sorted by type and group.
        exponent: of the distance.
        penalty: the precision of the prior.
    """

    displays: Sequence[Displays]
    exponent: float
    penalty: float = 0.0

    @property
    def trials(self) -> int:
        """The number of trials."""
        return sum(len(some.rows) for some in self.displays)

    def log_similarities(self, parameters: Parameters) -> Iterator[Floats]:
        """The log-similarities that the choice rule reads, (t, M), for each of the displays."""
        for some in self.displays:
            yield some.spread(self._similarities(some, parameters)[1])

    def __call__(self, parameters: Parameters) -> tuple[float, Parameters]:
        """The value, and its derivatives in the same shapes."""
        total, slopes = 0.0, parameters.zeros()
        for some in self.displays:
            total -= self._add_slopes(some, parameters, slopes)
        total += self.penalty / 2 * np.square(parameters.points).sum()
        total += _WEIGHT_PRECISION / 2 * np.square(parameters.log_weights).sum()
        slopes.points[:] += self.penalty * parameters.points
        slopes.log_weights[:] += _WEIGHT_PRECISION * parameters.log_weights
        return float(total) / self.trials, slopes.unflat(slopes.flat() / self.trials)

    def _add_slopes(self, some: Displays, parameters: Parameters, slopes: Parameters) -> float:
        """The log-likelihood of some trials; subtracts its derivatives from ``slopes``."""
        decay, logs = self._similarities(some, parameters)
        value, gradient = some.rule.likelihood(some.spread(logs), some.selected)
        slopes.kernel[[some.kind, -1]] += slopes_of(
            parameters.points,
            parameters.weights[some.group],
            some.pairs.first,
            some.pairs.second,
            self.exponent,
            decay,
            logs,
            -some.collected(gradient),
            slopes.points,
            slopes.log_weights[some.group],
        )
        return float(value.sum())

    def _similarities(self, some: Displays, parameters: Parameters) -> tuple[Floats, Floats]:
        """The decay and the log-similarity of each pair of some trials, (P,) each."""
        scale, weights = float(np.exp(parameters.kernel[some.kind])), parameters.weights[some.group]
        decay = decay_of_pairs(parameters.points, weights, some.pairs.first, some.pairs.second, scale, self.exponent)
        return decay, log_similarity(decay, float(parameters.kernel[-1]))

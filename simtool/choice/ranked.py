r"""Ranked selections: the first choice among all references, the second among the references that are left, and so on.

The probability of a ranking is a product of Luce choices (Luce 1959, Individual Choice Behavior; Plackett 1975,
Applied Statistics 24, 193-202; Roads & Mozer 2019, Behavior Research Methods 51, 2180-2193):

    P(r_1, ..., r_K) = \prod_k s(r_k) / \sum_{j not among r_1 ... r_(k-1)} s(j)

It needs the N similarities of the trial alone; the other N! / (N - K)! - 1 outcomes are never built.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.choice.rule import ChoiceRule, Floats, Likelihood, first_by_luce
from simtool.designs.trial_type import Positions
from simtool.system.compiled import compiled

__all__ = ["Ranked"]


class Ranked(ChoiceRule):
    """The sequential likelihood of ``N-rank-K``."""

    def likelihood(self, log_similarity: NDArray[np.floating[Any]], selected: Positions) -> Likelihood:
        """See :meth:`ChoiceRule.likelihood`."""
        logs = np.ascontiguousarray(log_similarity, np.float64)
        value, gradient = np.empty(len(logs)), np.empty(logs.shape)
        _ranked(logs, np.ascontiguousarray(selected, np.int64), value, gradient)
        return Likelihood(value, gradient)

    def draw(self, log_similarity: NDArray[np.floating[Any]], generator: np.random.Generator) -> NDArray[np.int8]:
        """See :meth:`ChoiceRule.draw`."""
        return first_by_luce(np.asarray(log_similarity, np.float64), self.kind.n_select, generator)


@compiled
def _ranked(logs: Floats, selected: NDArray[np.int64], value: Floats, gradient: Floats) -> None:
    trials, references = logs.shape
    places = selected.shape[1]
    total = np.empty(places + 1)  # the logarithm of the sum of similarities that are left at each place
    for trial in range(trials):
        own, slope = logs[trial], gradient[trial]
        slope[:] = 0.0
        for place in range(places):
            slope[selected[trial, place]] = 1.0  # marks the selected references
        highest = -np.inf
        for j in range(references):
            if slope[j] == 0.0:
                highest = max(highest, own[j])
        rest = 0.0
        for j in range(references):
            if slope[j] == 0.0:
                rest += math.exp(own[j] - highest)
        total[places] = highest + math.log(rest)
        log_probability = 0.0
        for place in range(places - 1, -1, -1):
            chosen = own[selected[trial, place]]
            high, low = max(total[place + 1], chosen), min(total[place + 1], chosen)
            total[place] = high + math.log1p(math.exp(low - high))
            log_probability += chosen - total[place]
        value[trial] = log_probability
        for j in range(references):
            if slope[j] == 0.0:
                for place in range(places):
                    slope[j] -= math.exp(own[j] - total[place])
        for last in range(places):
            chosen = selected[trial, last]
            for place in range(last + 1):
                slope[chosen] -= math.exp(own[chosen] - total[place])

r"""Unranked selections: K references were selected, and nobody knows in which order.

The probability of a set S is the sum over the K! orders of the sequential likelihood (:mod:`simtool.choice.ranked`).
With f(T) the probability that the first |T| choices are the set T, and s(.) the sum of similarities,

    f({}) = 1,    f(T) = \sum_{i in T} f(T - {i}) s(i) / (s(all) - s(T - {i})),    P(S) = f(S)

so that 2^K sets take the place of K! orders. All terms are positive: no digits are lost. The derivative is that of the
sequential likelihood, each set T weighted with the probability that it occurs on the way to S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.choice.rule import ChoiceError, ChoiceRule, Floats, Likelihood, first_by_luce
from simtool.designs.trial_type import Positions
from simtool.system.compiled import compiled

__all__ = ["MOST_UNRANKED", "Unranked"]

#: The most references of an unranked selection: time and memory of a trial grow with 2^K.
MOST_UNRANKED = 12


@dataclass(frozen=True)
class Unranked(ChoiceRule):
    """The likelihood of ``N-choose-K``, summed over the orders of the selection."""

    def __post_init__(self) -> None:
        if self.kind.n_select > MOST_UNRANKED:
            raise ChoiceError(
                f"trial type {self.kind}: the probability of an unranked selection is computed for at most "
                f"{MOST_UNRANKED} selected references; leave these trials out"
            )

    def likelihood(self, log_similarity: NDArray[np.floating[Any]], selected: Positions) -> Likelihood:
        """See :meth:`ChoiceRule.likelihood`."""
        logs = np.ascontiguousarray(log_similarity, np.float64)
        value, gradient = np.empty(len(logs)), np.empty(logs.shape)
        _unranked(logs, np.ascontiguousarray(selected, np.int64), value, gradient)
        return Likelihood(value, gradient)

    def draw(self, log_similarity: NDArray[np.floating[Any]], generator: np.random.Generator) -> NDArray[np.int8]:
        """See :meth:`ChoiceRule.draw`."""
        drawn = first_by_luce(np.asarray(log_similarity, np.float64), self.kind.n_select, generator)
        return np.sort(drawn, axis=1)


@compiled
def _log_add(x: float, y: float) -> float:
    high, low = max(x, y), min(x, y)
    return high if low == -np.inf else high + math.log1p(math.exp(low - high))


@compiled
def _unranked(logs: Floats, selected: NDArray[np.int64], value: Floats, gradient: Floats) -> None:
    trials, references = logs.shape
    size = selected.shape[1]
    sets = 1 << size
    total, before, after = np.empty(sets), np.empty(sets), np.empty(sets)
    chosen = np.empty(references, np.bool_)
    for trial in range(trials):
        own, slope = logs[trial], gradient[trial]
        chosen[:] = False
        for place in range(size):
            chosen[selected[trial, place]] = True
        # total: the log-sum of similarities that are left after each set
        total[sets - 1] = -np.inf
        for j in range(references):
            if not chosen[j]:
                total[sets - 1] = _log_add(total[sets - 1], own[j])
        for taken in range(sets - 2, -1, -1):
            place = 0
            while taken >> place & 1:
                place += 1
            total[taken] = _log_add(total[taken | 1 << place], own[selected[trial, place]])
        # before: log-probability that the first choices are the set; after: that the selection follows from the set
        before[:], after[:] = -np.inf, -np.inf
        before[0], after[sets - 1] = 0.0, 0.0
        for taken in range(sets - 1):
            for place in range(size):
                if not taken >> place & 1:
                    larger = taken | 1 << place
                    step = own[selected[trial, place]] - total[taken]
                    before[larger] = _log_add(before[larger], before[taken] + step)
        for taken in range(sets - 2, -1, -1):
            for place in range(size):
                if not taken >> place & 1:
                    step = own[selected[trial, place]] - total[taken]
                    after[taken] = _log_add(after[taken], after[taken | 1 << place] + step)
        value[trial] = before[sets - 1]
        for j in range(references):
            slope[j] = 1.0 if chosen[j] else 0.0
        for taken in range(sets - 1):
            weight = math.exp(before[taken] + after[taken] - before[sets - 1])
            for j in range(references):
                if not chosen[j]:
                    slope[j] -= weight * math.exp(own[j] - total[taken])
            for place in range(size):
                if not taken >> place & 1:
                    image = selected[trial, place]
                    slope[image] -= weight * math.exp(own[image] - total[taken])

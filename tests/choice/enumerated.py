"""Choice probabilities in plain Python: every outcome of a trial, listed."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from simtool.choice import ChoiceRule
from simtool.designs import TrialType


def sequential(strength: NDArray[np.float64], order: tuple[int, ...]) -> float:
    """The probability of choosing one after the other, each in proportion to its strength among those left."""
    left, probability = list(range(len(strength))), 1.0
    for choice in order:
        probability *= strength[choice] / sum(strength[j] for j in left)
        left.remove(choice)
    return probability


def outcomes(kind: TrialType, similarity: NDArray[np.float64]) -> dict[tuple[int, ...], float]:
    """The probability of each possible selection of one trial."""
    places = range(kind.n_reference)
    if kind.word == "rank":
        return {order: sequential(similarity, order) for order in permutations(places, kind.n_select)}
    if kind.word == "choose":
        return {
            chosen: sum(sequential(similarity, order) for order in permutations(chosen))
            for chosen in combinations(places, kind.n_select)
        }
    pairs = dict(zip(combinations(places, 2), similarity, strict=True))
    group = {odd: [pairs[pair] for pair in pairs if odd not in pair] for odd in places}
    strength = {odd: math.prod(some) ** (1 / len(some)) for odd, some in group.items()}
    return {(odd,): strength[odd] / sum(strength.values()) for odd in places}


def numerical_gradient(
    rule: ChoiceRule, log_similarity: NDArray[np.float64], selected: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Central differences of the log-probability of each trial."""
    step, gradient = 1e-6, np.empty(log_similarity.shape)
    for column in range(log_similarity.shape[1]):
        shift = np.zeros(log_similarity.shape[1])
        shift[column] = step
        up, down = (rule.log_probability(log_similarity + sign * shift, selected) for sign in (1, -1))
        gradient[:, column] = (up - down) / (2 * step)
    return gradient

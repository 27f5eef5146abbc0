"""Probabilities that a model predicts a selection, if it breaks its ties at random.

``versus`` is the credit of each selected reference against each unselected one, (t, K, N - K): 1 nearer, 1/2 tied,
0 farther.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["chance_of_any", "chance_of_first", "chance_of_set"]

Credit: TypeAlias = NDArray[np.float32]
Chance: TypeAlias = NDArray[np.float64]


def chance_of_first(credit: Credit) -> Chance:
    """The chance that one reference comes first among its rivals.

    Args:
        credit: (t, rivals) of the reference against each rival.

    Returns:
        (t,) 0 if a rival is nearer, else 1 / (1 + number of tied rivals).
    """
    rivals = _trials_last(credit)
    ties = (rivals == 0.5).sum(axis=0)
    return np.where((rivals == 0).any(axis=0), 0, 1 / (1 + ties))


def chance_of_set(versus: Credit) -> Chance:
    """The chance that the nearest K references are the selected ones, in any order.

    The r selected and t unselected references that are tied with each other share the last r places:
    the chance is 1 / (r + t choose r).
    """
    pairs = _trials_last(versus)
    tied = pairs == 0.5
    selected, others = tied.any(axis=1).sum(axis=0), tied.any(axis=0).sum(axis=0)
    chance = np.ones(len(versus))
    for place in range(1, versus.shape[1] + 1):
        chance *= np.where(place <= selected, place / (others + place), 1)
    return np.where((pairs == 0).any(axis=(0, 1)), 0, chance)


def chance_of_any(versus: Credit) -> Chance:
    """The chance that the nearest reference is a selected one: their share of those tied for the first place."""
    selected = (versus >= 0.5).all(axis=2).sum(axis=1)
    others = (versus <= 0.5).all(axis=1).sum(axis=1)
    return np.where(others == 0, 1, selected / np.maximum(selected + others, 1))


def _trials_last(credit: Credit) -> Credit:
    """The same credit with the trials in the last axis, along which numpy is fast."""
    return np.ascontiguousarray(np.moveaxis(credit, 0, -1))

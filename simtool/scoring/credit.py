"""Credit: whether the distances of a model agree with each comparison.

A model predicts that the smaller distance belongs to the more similar pair. Two distances that are closer to each other
than their errors are compared by their ranks, which exact arithmetic gives (:mod:`simtool.scoring.settling`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.scoring.distances import Measured
from simtool.scoring.pairs import ComparedPairs

__all__ = ["Settle", "credit_of"]

#: From a mask of pairs, (P,), to the ranks of their distances, (P,); the ranks of the other pairs do not matter.
Settle: TypeAlias = Callable[[NDArray[np.bool_]], NDArray[np.int64]]


def credit_of(compared: ComparedPairs, measured: Measured, settle: Settle) -> NDArray[np.float32]:
    """Judge every comparison by the distances of its two pairs.

    Args:
        compared: the pairs that the comparisons compare.
        measured: the distances of the pairs.
        settle: ranks the pairs whose distances are too close to tell. It is called once at most.

    Returns:
        (C,) 1 where the near pair has the smaller distance, 1/2 where the distances are equal, 0 where it has the
        larger.
    """
    near, far, value, size = compared.near, compared.far, measured.value, measured.size
    gap = value[far] - value[near]
    credit = (gap > 0).astype(np.float32)
    open_ = np.flatnonzero(~(abs(gap) > measured.tolerance * size[near] + measured.tolerance * size[far]))
    near, far = near[open_], far[open_]
    if not measured.tolerance:
        credit[open_] = 0.5
    elif open_.size:
        unsettled = np.zeros(len(compared.pairs), np.bool_)
        unsettled[near] = unsettled[far] = True
        ranks = settle(unsettled)
        credit[open_] = (np.sign(ranks[far] - ranks[near]) + 1) / 2
    return credit

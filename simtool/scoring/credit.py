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
from simtool.system.compiled import compiled
from simtool.system.threads import in_threads

__all__ = ["Settle", "credit_of"]

#: From a mask of pairs, (P,), to the ranks of their distances, (P,); the ranks of the other pairs do not matter.
Settle: TypeAlias = Callable[[NDArray[np.bool_]], NDArray[np.int64]]

#: Fewer comparisons than this are not worth a thread.
_LEAST = 1 << 15


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
    credit = np.empty(len(compared.near), np.float32)
    unsettled = np.zeros(len(compared.pairs), np.bool_)

    arrays = (measured.value, measured.size, measured.tolerance, compared.near, compared.far, unsettled, credit)

    def judge(ranks: NDArray[np.int64]) -> None:
        in_threads(lambda start, stop: _judge(*arrays, ranks, start, stop), credit.size, least=_LEAST)

    judge(np.empty(0, np.int64))
    if unsettled.any():
        judge(settle(unsettled))
    return credit


@compiled
def _judge(
    value: NDArray[np.float64],
    size: NDArray[np.float64],
    tolerance: float,
    near: NDArray[np.int32],
    far: NDArray[np.int32],
    unsettled: NDArray[np.bool_],
    credit: NDArray[np.float32],
    ranks: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Judge the comparisons ``start`` to ``stop``.

    Without ranks, pairs whose distances are too close to tell are marked as unsettled, and count as tied.
    """
    for comparison in range(start, stop):
        one, other = near[comparison], far[comparison]
        if abs(value[one] - value[other]) > tolerance * size[one] + tolerance * size[other]:
            credit[comparison] = 1.0 if value[one] < value[other] else 0.0
        elif ranks.size == 0:
            credit[comparison] = 0.5
            if tolerance > 0 and one != other:
                unsettled[one] = unsettled[other] = True
        elif ranks[one] == ranks[other]:
            credit[comparison] = 0.5
        else:
            credit[comparison] = 1.0 if ranks[one] < ranks[other] else 0.0

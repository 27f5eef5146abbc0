"""How well people predict people: the accuracy that a model can be expected to reach at most.

Some comparisons (a query and two references) are judged several times. How well one judgment follows from the
other judgments of the same comparison bounds what any model can do that knows only the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENOUGH", "Ceiling", "ceiling"]

#: Judgments of repeated comparisons below which no bound is given: with fewer, its error is as wide as what it bounds.
ENOUGH = 1000


@dataclass(frozen=True)
class Ceiling:
    """What repeated comparisons say about the best possible triplet accuracy.

    The best model's accuracy lies between ``lower`` and ``upper`` (after Nili et al. 2014,
    https://doi.org/10.1371/journal.pcbi.1003553). All three shares are None where too few judgments were repeated.

    Attributes:
        distinct: how many different comparisons there are.
        repeated: how many of them were judged more than once; only these count.
        judgments: how many judgments those received.
        agreement: the chance that another judgment of the same comparison, picked at random, is the same.
        lower: accuracy of the majority of the other judgments; half credit where they are divided.
        upper: accuracy of the majority of all judgments, the judged one included.
    """

    distinct: int
    repeated: int
    judgments: int
    agreement: float | None = None
    lower: float | None = None
    upper: float | None = None


def ceiling(
    images: NDArray[np.integer[Any]], weight: NDArray[np.float64] | None = None, enough: int = ENOUGH
) -> Ceiling:
    """Bound the accuracy of any model by how far repeated judgments agree. All averages are over judgments.

    Args:
        images: (N, 3) codes of the query, the selected and the other reference of each judged comparison.
        weight: (N,) what each judgment counts, in averages and in majorities; None where all count the same. A
            weight is no repetition: a judgment of weight 3 is one judgment, and one of weight 0 none.
        enough: how many judgments of repeated comparisons a bound takes.
    """
    if weight is not None:
        images, weight = images[weight > 0], weight[weight > 0]
    query, selected, other = images.T
    comparison, distinct = _number(np.column_stack([query, np.minimum(selected, other), np.maximum(selected, other)]))
    judged = np.bincount(comparison, minlength=distinct)
    rows = judged[comparison] > 1
    counts = distinct, int((judged > 1).sum()), int(rows.sum())
    if counts[-1] < max(enough, 1):
        return Ceiling(*counts)
    own = np.ones(len(images)) if weight is None else weight / weight.max()
    comparison, forward, own = comparison[rows], (selected < other)[rows], own[rows]
    total = np.asarray(np.bincount(comparison, own, distinct), np.float64)[comparison]
    chose = np.bincount(comparison, own * forward, distinct)[comparison]
    same = np.where(forward, chose, total - chose)
    others: NDArray[np.float64] = np.maximum(total - own, np.finfo(float).tiny)
    return Ceiling(
        *counts,
        agreement=float(np.average(np.clip((same - own) / others, 0, 1), weights=own)),
        lower=float(np.average(_majority(same - own, others), weights=own)),
        upper=float(np.average(_majority(same, total), weights=own)),
    )


def _majority(same: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """The credit of following the majority of some judgments: half of it where they are divided.

    Args:
        same: the weight of those that equal the one to predict.
        total: the weight of all of them.
    """
    lead = 2 * same - total
    credit: NDArray[np.float64] = (np.where(np.abs(lead) <= 1e-9 * total, 0, np.sign(lead)) + 1) / 2
    return credit


def _number(rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.intp], int]:
    """Give each distinct row a number, counted from 0."""
    base = int(rows.max(initial=0)) + 1
    _, first = np.unique(rows[:, 0].astype(np.int64) * base + rows[:, 1], return_inverse=True)
    used, code = np.unique(first * base + rows[:, 2], return_inverse=True)
    return code, used.size

"""How well people predict people: the accuracy that a model can be expected to reach at most.

Some comparisons (a query and two references) are judged several times. How well one judgment follows from the
other judgments of the same comparison bounds what any model can do that knows only the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ceiling", "ceiling"]


@dataclass(frozen=True)
class Ceiling:
    """What repeated comparisons say about the best possible triplet accuracy.

    The best model's accuracy lies between ``lower`` and ``upper`` (after Nili et al. 2014,
    https://doi.org/10.1371/journal.pcbi.1003553).

    Attributes:
        agreement: the chance that another judgment of the same comparison, picked at random, is the same.
        lower: accuracy of the majority of the other judgments; half credit where they are divided.
        upper: accuracy of the majority of all judgments, the judged one included.
        distinct: how many different comparisons there are.
        repeated: how many of them were judged more than once; only these count.
        judgments: how many judgments those received.
    """

    agreement: float
    lower: float
    upper: float
    distinct: int
    repeated: int
    judgments: int


def ceiling(images: NDArray[np.integer[Any]]) -> Ceiling | None:
    """Bound the accuracy of any model by how far repeated judgments agree. All averages are over judgments.

    Args:
        images: (N, 3) codes of the query, the selected and the other reference of each judged comparison.

    Returns:
        None where no comparison was judged twice.
    """
    query, selected, other = images.T
    pair = np.column_stack([query, np.minimum(selected, other), np.maximum(selected, other)])
    comparison, distinct = _number(pair)
    forward = selected < other
    judged = np.bincount(comparison, minlength=distinct)
    chose_forward = np.bincount(comparison, forward, distinct)
    repeated = judged > 1
    rows = repeated[comparison]
    if not rows.any():
        return None
    times = judged[comparison][rows]
    same = np.where(forward, chose_forward[comparison], (judged - chose_forward)[comparison])[rows]
    return Ceiling(
        agreement=float(((same - 1) / (times - 1)).mean()),
        lower=float(_majority(same - 1, times - 1).mean()),
        upper=float(_majority(same, times).mean()),
        distinct=distinct,
        repeated=int(repeated.sum()),
        judgments=int(rows.sum()),
    )


def _majority(same: NDArray[np.floating[Any]], times: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """The credit of following the majority of some judgments, of which so many equal the one to predict."""
    credit: NDArray[np.float64] = (np.sign(2 * same - times) + 1) / 2
    return credit


def _number(rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.intp], int]:
    """Give each distinct row a number, counted from 0."""
    base = int(rows.max(initial=0)) + 1
    _, first = np.unique(rows[:, 0].astype(np.int64) * base + rows[:, 1], return_inverse=True)
    used, code = np.unique(first * base + rows[:, 2], return_inverse=True)
    return code, used.size

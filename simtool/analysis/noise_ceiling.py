"""The noise ceiling: how well people predict people, and so the accuracy that a model can reach.

Some comparisons are judged several times. The agreement of these judgments limits the accuracy of any model that knows
only the images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.segments import Entries
from simtool.judgments.comparisons import Comparisons

__all__ = ["ENOUGH", "NoiseCeiling", "noise_ceiling"]

#: The least number of judgments of repeated comparisons for a noise ceiling. With fewer, its error is too large.
ENOUGH = 1000


@dataclass(frozen=True)
class NoiseCeiling:
    """The noise ceiling of triplet accuracy, from comparisons that were judged more than once.

    The accuracy of the best model lies between ``lower`` and ``upper`` (Nili et al. 2014,
    https://doi.org/10.1371/journal.pcbi.1003553). ``agreement``, ``lower`` and ``upper`` are None if too few judgments
    were repeated.

    Attributes:
        distinct: number of different comparisons: an anchor with two other images, in any order.
        repeated: number of these that were judged more than once. Only they count.
        judgments: number of their judgments.
        agreement: probability that another judgment of the same comparison, picked at random, is the same.
        lower: accuracy of the majority of the other judgments. A divided majority gets half credit.
        upper: accuracy of the majority of all judgments, which include the predicted judgment.
    """

    distinct: int
    repeated: int
    judgments: int
    agreement: float | None = None
    lower: float | None = None
    upper: float | None = None


def noise_ceiling(
    comparisons: Comparisons, weight: NDArray[np.float64] | None = None, enough: int = ENOUGH
) -> NoiseCeiling:
    """Estimate the noise ceiling. All averages are over judgments.

    Args:
        comparisons: N judged comparisons.
        weight: (N,) weight of each judgment, in averages and in majorities; None for equal weights. A weight is not a
            repetition: a judgment of weight 3 is one judgment, and a judgment of weight 0 is none.
        enough: the least number of judgments of repeated comparisons.
    """
    if weight is not None:
        comparisons, weight = comparisons.take(weight > 0), weight[weight > 0]
    entries = _judged(comparisons)
    first = entries.first
    repeated = ~first
    repeated[:-1] |= repeated[1:]
    counts = int(first.sum()), int((first & repeated).sum()), int(repeated.sum())
    if counts[-1] < max(enough, 1):
        return NoiseCeiling(*counts)
    rows = entries.members[repeated]
    code = (np.cumsum(first[repeated]) - 1)[np.argsort(rows)]
    rows.sort()
    own = np.ones(len(rows)) if weight is None else (weight / weight.max())[rows]
    forward = (comparisons.near < comparisons.far)[rows]
    distinct = counts[1]
    total = np.asarray(np.bincount(code, own, distinct), np.float64)[code]
    chose = np.bincount(code, own * forward, distinct)[code]
    same = np.where(forward, chose, total - chose)
    others: NDArray[np.float64] = np.maximum(total - own, np.finfo(float).tiny)
    return NoiseCeiling(
        *counts,
        agreement=float(np.average(np.clip((same - own) / others, 0, 1), weights=own)),
        lower=float(np.average(_majority(same - own, others), weights=own)),
        upper=float(np.average(_majority(same, total), weights=own)),
    )


def _majority(same: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """The credit of a prediction that follows the majority of judgments, of which ``same`` equal the predicted one."""
    lead = 2 * same - total
    credit: NDArray[np.float64] = (np.where(np.abs(lead) <= 1e-9 * total, 0, np.sign(lead)) + 1) / 2
    return credit


def _judged(comparisons: Comparisons) -> Entries:
    """The judgments of each distinct comparison, whichever image was judged nearer."""
    first, last = (pick(comparisons.near, comparisons.far) for pick in (np.minimum, np.maximum))
    count = 1 + max(int(last.max(initial=0)), int(comparisons.anchor.max(initial=0)))
    return Entries.of([[comparisons.anchor, first, last]], count)

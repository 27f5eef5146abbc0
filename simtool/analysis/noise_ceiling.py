"""The noise ceiling: how well people predict people, and so the accuracy that a model can reach.

Some comparisons, or sets of images, are judged several times. The agreement of these judgments limits the accuracy of
any model that knows only the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.segments import Entries
from simtool.judgments.comparisons import Comparisons

__all__ = ["ENOUGH", "NoiseCeiling", "noise_ceiling", "noise_ceiling_of_triplets"]

#: The least number of repeated judgments for a noise ceiling. With fewer, its error is too large.
ENOUGH = 1000


@dataclass(frozen=True)
class NoiseCeiling:
    """The noise ceiling of triplet accuracy, from comparisons that were judged more than once.

    That of odd-one-out accuracy is from sets of three images that were judged more than once.

    The accuracy of the best model lies between ``lower`` and ``upper`` (Nili et al. 2014,
    https://doi.org/10.1371/journal.pcbi.1003553). ``agreement``, ``lower`` and ``upper`` are None if too few judgments
    were repeated.

    Attributes:
        distinct: number of different comparisons (an anchor with two other images, in any order) or sets of images.
        repeated: number of these that were judged more than once. Only they count.
        judgments: number of their judgments.
        agreement: probability that another judgment of the same comparison or set, picked at random, is the same.
        lower: accuracy of the most frequent answer among the other judgments. Answers that are equally frequent share
            the credit.
        upper: the same among all judgments, which include the predicted judgment.
        judged: what was judged, in the plural: ``comparisons`` or ``sets of three images``.
    """

    distinct: int
    repeated: int
    judgments: int
    agreement: float | None = None
    lower: float | None = None
    upper: float | None = None
    judged: str = "comparisons"


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
    near, far = comparisons.near, comparisons.far
    first, last = np.minimum(near, far), np.maximum(near, far)
    judged = _grouped([comparisons.anchor, first, last])
    return _ceiling(judged, (near < far).astype(np.int8), weight, enough, "comparisons")


def noise_ceiling_of_triplets(
    comparisons: Comparisons, weight: NDArray[np.float64] | None = None, enough: int = ENOUGH
) -> NoiseCeiling:
    """Estimate the noise ceiling of odd-one-out accuracy, in which a judgment has one of three answers.

    Args:
        comparisons: of odd-one-out judgments. The two that remain are the anchor and the nearer image in turn; one of
            these comparisons is the judgment.
        weight: as in :func:`noise_ceiling`.
        enough: as in :func:`noise_ceiling`.
    """
    once = comparisons.anchor < comparisons.near
    if weight is not None:
        once &= weight > 0
        weight = weight[once]
    comparisons = comparisons.take(once)
    images = np.sort([comparisons.anchor, comparisons.near, comparisons.far], axis=0)
    answer = (images < comparisons.far).sum(axis=0, dtype=np.int8)
    return _ceiling(_grouped(list(images)), answer, weight, enough, "sets of three images")


def _grouped(columns: Sequence[NDArray[np.int32]]) -> Entries:
    """The judgments that agree in some columns, (N,) each."""
    return Entries.of([columns], 1 + max(int(column.max(initial=0)) for column in columns))


def _ceiling(
    judged: Entries, answer: NDArray[np.int8], weight: NDArray[np.float64] | None, enough: int, name: str
) -> NoiseCeiling:
    """The noise ceiling of N judgments.

    Args:
        judged: the judgments of the same comparison or set.
        answer: (N,) the answer of each judgment, from 0.
        weight: (N,) or None for equal weights.
        enough: the least number of repeated judgments.
        name: of what was judged.
    """
    first = judged.first
    repeated = ~first
    repeated[:-1] |= repeated[1:]
    counts = int(first.sum()), int((first & repeated).sum()), int(repeated.sum())
    if counts[-1] < max(enough, 1):
        return NoiseCeiling(*counts, judged=name)
    rows = judged.members[repeated]
    code = (np.cumsum(first[repeated]) - 1)[np.argsort(rows)]
    rows.sort()
    own = np.ones(len(rows)) if weight is None else (weight / weight.max())[rows]
    place = np.arange(len(rows)), answer[rows]
    votes = np.stack([np.bincount(code, own * (place[1] == each), counts[1]) for each in range(int(answer.max()) + 1)])
    among = votes.T[code]
    upper = _most_frequent(among, place)
    among[place] -= own
    others: NDArray[np.float64] = np.maximum(among.sum(axis=1), np.finfo(float).tiny)
    return NoiseCeiling(
        *counts,
        agreement=float(np.average(np.clip(among[place] / others, 0, 1), weights=own)),
        lower=float(np.average(_most_frequent(among, place), weights=own)),
        upper=float(np.average(upper, weights=own)),
        judged=name,
    )


def _most_frequent(votes: NDArray[np.float64], place: tuple[NDArray[np.intp], NDArray[np.int8]]) -> NDArray[np.float64]:
    """The credit of the most frequent answer, from the votes for each answer, (N, K), and the place of the own one."""
    margin = votes.max(axis=1) - 1e-9 * votes.sum(axis=1)
    best = votes >= margin[:, np.newaxis]
    return np.where(best[place], 1 / best.sum(axis=1), 0)

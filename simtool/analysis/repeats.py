"""Judgments that several people made of the same images, and how often they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.segments import Entries

__all__ = ["Repeats"]


@dataclass(frozen=True)
class Repeats:
    """The n judgments, among N, of comparisons (or sets of images) that another person judged too.

    Attributes:
        distinct: number of different comparisons or sets among the N judgments.
        rows: (n,) positions of the judgments, ascending.
        code: (n,) the comparison or set of each, counted from 0.
        agreement: (n,) the share of the judgments of other people that give the same answer. Its mean over judgments
            is an unbiased estimate of the probability that one other person gives the same answer.
    """

    distinct: int
    rows: NDArray[np.int32]
    code: NDArray[np.int32]
    agreement: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        judged: Sequence[NDArray[np.int32]],
        answer: NDArray[np.int8],
        person: NDArray[np.int32] | None = None,
        weight: NDArray[np.float64] | None = None,
    ) -> Repeats:
        """Find the judgments that were repeated.

        Args:
            judged: columns of codes, (N,) each. Judgments with equal codes are of the same comparison or set.
            answer: (N,) from 0.
            person: (N,) who judged, so that nobody is compared with themselves; -1 if unknown, which is a person of
                its own. None if nobody is known.
            weight: (N,) weight of each judgment in the shares, more than 0; None for equal weights. A weight is not a
                repetition: a judgment of weight 3 is one judgment.
        """
        groups = Entries.of([judged], 1 + max(int(column.max(initial=0)) for column in judged))
        first = groups.first
        repeated = ~first
        repeated[:-1] |= repeated[1:]
        rows = groups.members[repeated]
        order = np.argsort(rows)
        rows, code = rows[order], (np.cumsum(first[repeated], dtype=np.int32) - 1)[order]
        own = np.ones(len(rows)) if weight is None else (weight / weight.max(initial=0))[rows]
        mine = np.arange(len(rows), dtype=np.int32) if person is None else _numbered(code, person[rows])
        others = np.bincount(code)[code] > np.bincount(mine)[mine]
        share = _agreeing(code, mine, answer[rows], own)[others]
        return cls(int(first.sum()), rows[others], _renumbered(code[others]), share)

    @property
    def repeated(self) -> int:
        """The number of comparisons or sets that several people judged."""
        return int(self.code.max(initial=-1)) + 1


def _agreeing(
    code: NDArray[np.int32], mine: NDArray[np.int32], answer: NDArray[np.int8], own: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of the votes of other people for the same answer, (n,); 0 without other votes."""
    answers = int(answer.max(initial=0)) + 1
    given = [groups.astype(np.int64) * answers + answer for groups in (code, mine)]
    same = _sums(own, given[0]) - _sums(own, given[1])
    whole = _sums(own, code) - _sums(own, mine)
    share: NDArray[np.float64] = same / np.maximum(whole, np.finfo(float).tiny)
    return np.clip(share, 0, 1)


def _sums(values: NDArray[np.float64], groups: NDArray[np.integer]) -> NDArray[np.float64]:
    """The sum over the group of each value, (n,)."""
    sums: NDArray[np.float64] = np.bincount(groups, values)[groups]
    return sums


def _numbered(code: NDArray[np.int32], person: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number the judgments of one person of one comparison alike, from 0, (n,)."""
    unknown = person < 0
    person = np.where(unknown, person.max(initial=-1) + np.cumsum(unknown, dtype=np.int32), person)
    groups = Entries.of([[code, person]], 1 + int(max(code.max(initial=0), person.max(initial=0))))
    number = np.empty(len(code), np.int32)
    number[groups.members] = np.cumsum(groups.first, dtype=np.int32) - 1
    return number


def _renumbered(code: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same codes without gaps."""
    used = np.bincount(code) > 0
    return (np.cumsum(used, dtype=np.int32) - 1)[code]

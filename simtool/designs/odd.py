"""``N-odd-1``: of N images without a query, one is selected as the least similar to the others: odd-one-out."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.designs.ties import chance_of_first
from simtool.designs.trial_type import MOST_REFERENCES, Codes, Positions, TrialScore, TrialType

__all__ = ["Odd"]


class Odd(TrialType):
    """The odd one is selected: each two of the remaining images are nearer to each other than to the odd one."""

    word = "odd"
    selections: ClassVar[str] = "1"
    has_query: ClassVar[bool] = False
    requirement: ClassVar[str] = f"3 <= references <= {MOST_REFERENCES} and 1 selected"

    @property
    def possible(self) -> bool:
        """See :attr:`TrialType.possible`."""
        return self.n_select == 1 and 3 <= self.n_reference <= MOST_REFERENCES

    @property
    def comparisons(self) -> int:
        """(N - 1) (N - 2)."""
        return (self.n_reference - 1) * (self.n_reference - 2)

    @property
    def _ends(self) -> NDArray[np.intp]:
        """The places of anchor and nearer image among the remaining images, (2, C)."""
        return np.array(list(permutations(range(self.n_reference - 1), 2)), np.intp).T

    @property
    def pairs(self) -> NDArray[np.intp]:
        """Both comparisons of each pair that remains, (P, 2): positions among the comparisons of a trial."""
        anchor, near = self._ends
        return np.lexsort((anchor, np.maximum(anchor, near), np.minimum(anchor, near))).reshape(-1, 2)

    def compare(self, query: Codes, references: Codes, selected: Positions) -> tuple[Codes, Codes, Codes]:  # noqa: ARG002 - there is no query
        """See :meth:`TrialType.compare`. Each remaining image is an anchor, with each other one as the nearer image."""
        is_odd = np.arange(self.n_reference) == selected
        remaining = references[~is_odd].reshape(len(references), -1)
        anchor, near = self._ends
        return remaining[:, anchor], remaining[:, near], np.repeat(references[is_odd][:, None], near.size, axis=1)

    @property
    def scores(self) -> Mapping[str, TrialScore]:
        """Whether, of the odd one and two remaining images, the nearest pair is the pair that remains.

        The mean over all pairs that remain. The pair has two rivals, and shares an image with each: its two comparisons
        tell all. With more than three images, comparisons do not tell which image the model would select, because pairs
        without a common image are not compared.
        """
        return {"odd_one_out": TrialScore(1 / 3, lambda credit, _: self._pairs_right(credit))}

    def _pairs_right(self, credit: NDArray[np.float32]) -> NDArray[np.float64]:
        right = chance_of_first(credit[:, self.pairs].reshape(-1, 2)).reshape(len(credit), -1)
        mean: NDArray[np.float64] = right.mean(axis=1)
        return mean

    def key_images(self, query: Codes, references: Codes, selected: Positions) -> Codes:
        """Choose the images of the first comparison: the first two of the remaining images, and the odd one."""
        return np.column_stack([images[:, 0] for images in self.compare(query, references, selected)])

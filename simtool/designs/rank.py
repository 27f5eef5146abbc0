"""``N-rank-K``: K references are selected in order, the nearest to the query first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from simtool.designs.ties import chance_of_first, chance_of_set
from simtool.designs.trial_type import Codes, Positions, TrialScore, TrialType

__all__ = ["Rank"]


class Rank(TrialType):
    """An ordered selection.

    The first choice is nearer than each reference that was not yet selected, then the second choice is, and so on.
    """

    word = "rank"

    @property
    def comparisons(self) -> int:
        """The sum of N - k over the K places."""
        return sum(self._rivals)

    @property
    def _rivals(self) -> list[int]:
        """The number of references left to compare with at each place."""
        return [self.n_reference - place for place in range(1, self.n_select + 1)]

    def compare(self, query: Codes, references: Codes, selected: Positions) -> tuple[Codes, Codes, Codes]:
        """See :meth:`TrialType.compare`."""
        chosen = np.take_along_axis(references, selected.astype(np.intp), axis=1)
        near = np.repeat(chosen, self._rivals, axis=1)
        left = [references[~taken].reshape(len(query), -1) for taken in self._taken(selected)]
        return np.broadcast_to(query[:, None], near.shape), near, np.concatenate(left, axis=1)

    def _taken(self, selected: Positions) -> Iterator[NDArray[np.bool_]]:
        """The references selected up to each place, (t, N); one array, which is changed from place to place."""
        taken = np.zeros((len(selected), self.n_reference), bool)
        for place in range(self.n_select):
            np.put_along_axis(taken, selected[:, place, None].astype(np.intp), values=True, axis=1)
            yield taken

    @property
    def scores(self) -> Mapping[str, TrialScore]:
        """Whether the first choice, the selection in order, and the selection in any order are predicted."""
        n, k = self.n_reference, self.n_select
        scores = {"top_1": TrialScore(1 / n, lambda credit, _: chance_of_first(credit[:, : n - 1]))}
        if k > 1:
            scores["ordered"] = TrialScore(1 / math.perm(n, k), lambda credit, _: self._ordered(credit))
            scores["unordered"] = TrialScore(1 / math.comb(n, k), self._unordered)
        return scores

    def _ordered(self, credit: NDArray[np.float32]) -> NDArray[np.float64]:
        """The product of the chances of each place."""
        bounds = pairwise(accumulate(self._rivals, initial=0))
        product: NDArray[np.float64] = np.prod([chance_of_first(credit[:, slice(*own)]) for own in bounds], axis=0)
        return product

    def _unordered(self, credit: NDArray[np.float32], selected: Positions) -> NDArray[np.float64]:
        chosen = np.zeros((len(selected), self.n_reference), bool)
        np.put_along_axis(chosen, selected.astype(np.intp), values=True, axis=1)
        unselected = [~chosen[~taken].reshape(len(selected), -1) for taken in self._taken(selected)]
        versus = credit[np.concatenate(unselected, axis=1)]
        return chance_of_set(versus.reshape(len(selected), self.n_select, -1))

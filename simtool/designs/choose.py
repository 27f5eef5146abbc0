"""``N-choose-K``: K references are selected, in no order, as nearer to the query than the others."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simtool.designs.ties import chance_of_any, chance_of_set
from simtool.designs.trial_type import Codes, Positions, TrialScore, TrialType

__all__ = ["Choose"]


class Choose(TrialType):
    """An unordered selection: each selected reference is nearer than each unselected one."""

    word = "choose"

    @property
    def comparisons(self) -> int:
        """K (N - K)."""
        return self.n_select * (self.n_reference - self.n_select)

    def compare(self, query: Codes, references: Codes, selected: Positions) -> tuple[Codes, Codes, Codes]:
        """See :meth:`TrialType.compare`."""
        places = selected.astype(np.intp)
        left = np.ones(references.shape, bool)
        np.put_along_axis(left, places, values=False, axis=1)
        others = references[left].reshape(len(query), -1)
        near = np.repeat(np.take_along_axis(references, places, axis=1), self.n_reference - self.n_select, axis=1)
        return np.broadcast_to(query[:, None], near.shape), near, np.tile(others, (1, self.n_select))

    @property
    def scores(self) -> Mapping[str, TrialScore]:
        """Whether the nearest reference is a selected one, and whether the selection is predicted."""
        n, k = self.n_reference, self.n_select
        scores = {"top_1": TrialScore(k / n, lambda credit, _: chance_of_any(self._versus(credit)))}
        if k > 1:
            scores["unordered"] = TrialScore(1 / math.comb(n, k), lambda credit, _: chance_of_set(self._versus(credit)))
        return scores

    def _versus(self, credit: NDArray[np.float32]) -> NDArray[np.float32]:
        return credit.reshape(len(credit), self.n_select, -1)

r"""Odd-one-out: the images that remain are the ones that belong together.

Of three images, people select the pair with the larger similarity, and the third image is the odd one (Zheng, Pereira,
Baker & Hebart 2019, ICLR; Hebart et al. 2020, Nature Human Behaviour 4, 1173-1185):

    P(k is odd) = s(i, j) / (s(i, j) + s(i, k) + s(j, k))

Of N images, this is Luce's choice among the N groups of N - 1 images. The strength of a group is the geometric mean of
the similarities of its pairs, which is the formula above for N = 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from simtool.choice.rule import ChoiceRule, Floats, Likelihood, first_by_luce
from simtool.designs.trial_type import Positions

__all__ = ["OddOneOut"]


class OddOneOut(ChoiceRule):
    """The likelihood of ``N-odd-1``, from the similarities of all pairs of its images."""

    @property
    def pairs(self) -> NDArray[np.intp]:
        """(2, N (N - 1) / 2) the places of the images of each pair: (0, 1), (0, 2), ... (1, 2), ..."""
        return np.stack(np.triu_indices(self.kind.n_reference, 1))

    @property
    def _groups(self) -> Floats:
        """(N, M) the weight of each pair in the log-strength of the group that remains without each image."""
        without = (self.pairs[:, None] != np.arange(self.kind.n_reference)[:, None]).all(axis=0)
        weight: Floats = without / without.sum(axis=1, keepdims=True)
        return weight

    def likelihood(self, log_similarity: NDArray[np.floating[Any]], selected: Positions) -> Likelihood:
        """See :meth:`ChoiceRule.likelihood`."""
        groups = self._groups
        log_chance = log_softmax(np.asarray(log_similarity, np.float64) @ groups.T, axis=1)
        odd = selected[:, 0].astype(np.intp)
        value = np.take_along_axis(log_chance, odd[:, None], axis=1)[:, 0]
        return Likelihood(value, groups[odd] - np.exp(log_chance) @ groups)

    def draw(self, log_similarity: NDArray[np.floating[Any]], generator: np.random.Generator) -> NDArray[np.int8]:
        """See :meth:`ChoiceRule.draw`."""
        return first_by_luce(np.asarray(log_similarity, np.float64) @ self._groups.T, 1, generator)

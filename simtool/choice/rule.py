"""The interface of a choice rule: from similarities to the probability of a selection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.designs.trial_type import Positions, TrialType
from simtool.errors import SimtoolError

__all__ = ["ChoiceError", "ChoiceRule", "Floats", "Likelihood", "first_by_luce"]

Floats: TypeAlias = NDArray[np.float64]


class ChoiceError(SimtoolError):
    """A design has no choice rule, or a selection is too large for it."""


class Likelihood(NamedTuple):
    """Log-probabilities and their derivatives.

    Attributes:
        value: (t,) the natural logarithm of the probability of the selection of each trial.
        gradient: (t, M) the derivatives of ``value`` with respect to the log-similarities.
    """

    value: Floats
    gradient: Floats


@dataclass(frozen=True)
class ChoiceRule(ABC):
    """The probability of a selection in trials of one type.

    A rule reads M similarities of each trial, of the pairs in :attr:`pairs`. Only their ratios count.

    Attributes:
        kind: the type of the trials.
    """

    kind: TrialType

    @property
    def pairs(self) -> NDArray[np.intp]:
        """(2, M) the places of the two images of each similarity: positions among the references, -1 for the query."""
        places = np.arange(self.kind.n_reference)
        return np.stack([np.full_like(places, -1), places])

    @abstractmethod
    def likelihood(self, log_similarity: NDArray[np.floating[Any]], selected: Positions) -> Likelihood:
        """The log-probability of each selection, and its derivatives.

        Args:
            log_similarity: (t, M) finite natural logarithms of similarities.
            selected: (t, K) positions among the references, in order of selection.
        """

    def log_probability(self, log_similarity: NDArray[np.floating[Any]], selected: Positions) -> Floats:
        """The log-probability of each selection, (t,); the arguments are those of :meth:`likelihood`."""
        return self.likelihood(log_similarity, selected).value

    @abstractmethod
    def draw(self, log_similarity: NDArray[np.floating[Any]], generator: np.random.Generator) -> NDArray[np.int8]:
        """Simulate one selection for each trial.

        Args:
            log_similarity: (t, M).
            generator: the source of randomness.

        Returns:
            (t, K) positions among the references, as a table of trials holds them.
        """


def first_by_luce(log_strength: Floats, count: int, generator: np.random.Generator) -> NDArray[np.int8]:
    """Draw ``count`` columns of each row without replacement, by Luce's rule: (t, count), the first choice first.

    The columns of the largest sums of log-strength and Gumbel noise have the probabilities of the sequential choices
    (Yellott 1977, Journal of Mathematical Psychology 15, 109-144).
    """
    noisy = log_strength + generator.gumbel(size=log_strength.shape)
    return np.argsort(-noisy, axis=1)[:, :count].astype(np.int8)

"""The type of a trial: a design and its two sizes, for example ``8-rank-2``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError

__all__ = ["Codes", "DesignError", "Positions", "TrialScore", "TrialType"]

#: Images, as positions in a vocabulary.
Codes: TypeAlias = NDArray[np.int32]
#: Selected references, as positions among the references of a trial.
Positions: TypeAlias = NDArray[np.integer[Any]]

#: Positions among the references are int8 in a table of trials.
MOST_REFERENCES = 128


class DesignError(SimtoolError):
    """A trial type is unknown or impossible."""


@dataclass(frozen=True)
class TrialScore:
    """A score of a whole trial, computed from the credit of its comparisons.

    A score is the probability of a right prediction if ties are broken at random.

    Attributes:
        chance: the expected score of a guess.
        of: the scores of t trials of one type, (t,), from 0 to 1; from the credit of their comparisons, (t, C), and the
            selected positions among the references, (t, K).
    """

    chance: float
    of: Callable[[NDArray[np.float32], Positions], NDArray[np.float64]]


@dataclass(frozen=True)
class TrialType(ABC):
    """N references, of which K are selected.

    A subclass is a design. It gives the selection a meaning, and is listed in :data:`~simtool.designs.table.DESIGNS`.

    Attributes:
        n_reference: N.
        n_select: K.
        word: names the design in a trial type, as in ``8-rank-2``.
        selections: K in the name of the design: ``K``, or the only number that the design has.
        has_query: whether a trial shows a query, which its references are compared with.
        requirement: the possible sizes, in words.
    """

    n_reference: int
    n_select: int
    word: ClassVar[str]
    selections: ClassVar[str] = "K"
    has_query: ClassVar[bool] = True
    requirement: ClassVar[str] = f"1 <= selected < references <= {MOST_REFERENCES}"

    def __post_init__(self) -> None:
        if not self.possible:
            raise DesignError(f"trial type {self}: needs {self.requirement}")

    def __str__(self) -> str:
        return f"{self.n_reference}-{self.word}-{self.n_select}"

    def __lt__(self, other: TrialType) -> bool:
        return (self.n_reference, self.n_select, self.word) < (other.n_reference, other.n_select, other.word)

    @property
    def possible(self) -> bool:
        """Whether the design has trials of these sizes."""
        return 1 <= self.n_select < self.n_reference <= MOST_REFERENCES

    @property
    @abstractmethod
    def comparisons(self) -> int:
        """C, the number of comparisons that a trial implies."""

    @abstractmethod
    def compare(self, query: Codes, references: Codes, selected: Positions) -> tuple[Codes, Codes, Codes]:
        """List the comparisons that t trials imply, in the order of the contract (docs/tables.md).

        The result copies codes from the arguments, and which ones depends on the selected positions alone.

        Args:
            query: (t,), -1 where the design has no query.
            references: (t, N).
            selected: (t, K), in order of selection.

        Returns:
            The anchor, the image that people judged nearer to it, and the image that they judged farther, (t, C) each.
        """

    @property
    @abstractmethod
    def scores(self) -> Mapping[str, TrialScore]:
        """The scores that say more about a trial than its comparisons do, by name."""

    def key_images(self, query: Codes, references: Codes, selected: Positions) -> Codes:
        """Choose the images by which two trials depend on each other: query, first choice, second choice.

        With one selection the first reference that was not selected takes the place of the second choice. The arguments
        are those of :meth:`compare`, the result is (t, 3).
        """
        first = selected[:, 0]
        second = selected[:, 1] if self.n_select > 1 else (first == 0).astype(first.dtype)
        pair = np.column_stack([first, second]).astype(np.intp)
        return np.column_stack([query, np.take_along_axis(references, pair, axis=1)])

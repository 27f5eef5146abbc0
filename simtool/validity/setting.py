"""How simulated studies are analysed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["CHANCE", "Label", "Setting"]

#: The accuracy of guessing, of every design: a comparison has two answers.
CHANCE = 0.5
#: A model and its distance.
Label: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Setting:
    """How simulated studies are drawn and analysed.

    Attributes:
        seed: the seed of everything random.
        replicates: number of replicates of each interval.
        level: level of the intervals.
    """

    seed: int = 0
    replicates: int = 200
    level: float = 0.95

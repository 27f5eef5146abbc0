"""Shards: the parts into which a table of images is divided, for one process each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shard"]


@dataclass(frozen=True)
class Shard:
    """One of several parts of nearly equal size.

    Attributes:
        index: which one, from 0.
        count: how many there are.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``I/N``.

        Raises:
            ValueError: it is something else, or I is not from 0 to N-1.
        """
        match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
        if match is None or not int(match[1]) < int(match[2]):
            raise ValueError(f"{text} is not I/N with I from 0 to N-1, for example 0/16")
        return cls(int(match[1]), int(match[2]))

    def rows(self, total: int) -> NDArray[np.intp]:
        """The positions in a table of ``total`` rows that belong to this part: consecutive ones."""
        return np.arange(total * self.index // self.count, total * (self.index + 1) // self.count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

"""A case: one generated input, and the answers that a reader may give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Self

__all__ = ["Case", "Door", "Made", "right"]

#: Judges the result of a reader: None if it is right, otherwise a description of the error.
Judge = Callable[[Any], str | None]


def right(_: Any) -> str | None:
    """The judge of a reader for which every answer is right."""
    return None


@dataclass(frozen=True, order=True)
class Case:
    """The name of an input. The name and the seed of the run determine the input.

    Attributes:
        door: the reader.
        family: ``structured`` or ``bytes``.
        number: which one.
    """

    door: str
    family: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``trials/structured/17``."""
        door, family, number = text.split("/")
        return cls(door, family, int(number))

    def __str__(self) -> str:
        return f"{self.door}/{self.family}/{self.number}"

    def chance(self, seed: int) -> Random:
        """The random generator that creates the input."""
        return Random(f"{seed}/{self}")


@dataclass
class Made:
    """An input.

    Attributes:
        path: the file or folder that is read.
        what: what was done to it, in words.
        judge: says whether what the reader returns is right; it looks at the input as it then is.
        neutral: whether the input says the same as an undamaged one, so that an error is a fault.
        files: the files that may be damaged further.
        other: what the reader needs more: a catalog, an environment.
        names: of which a complaint has to hold one; the names of the files where none are given.
    """

    path: Path
    what: str = "nothing"
    judge: Judge = right
    neutral: bool = False
    files: tuple[Path, ...] = ()
    other: Any = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Door:
    """A reader.

    Attributes:
        name: what cases call it.
        read: reads an input.
        structured: makes an input whose structure was changed, in an empty folder; None where there are none.
        valid: makes a valid input, whose bytes are then damaged; None where there are none.
        counts: how many structured ones and damaged ones a whole run makes.
        refusals: exceptions other than those of every reader that are a proper answer.
    """

    name: str
    read: Callable[[Made], Any]
    structured: Callable[[Random, Path], Made] | None
    valid: Callable[[Random, Path], Made] | None
    counts: tuple[int, int]
    refusals: tuple[type[Exception], ...] = ()

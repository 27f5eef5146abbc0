"""Matrices: a number of every two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from simtool.analysis.contrasts import Entry
from simtool.analysis.labels import SAME
from simtool.reporting import formatting
from simtool.reporting.sections.subject import Subject

__all__ = ["FEW", "SHADES", "Cell", "Matrix", "divided", "shade"]

#: The most models and distances of a matrix that is not divided by distance.
FEW = 8
#: The number of shades of a color, without no color.
SHADES = 4
#: The most letters of a name above a column.
_LETTERS = 24


@dataclass(frozen=True)
class Cell:
    """A number of two models.

    Attributes:
        text: the number.
        detail: what a reader may want to know about it, for example its interval.
        shade: from 1 to :data:`SHADES` if it is clearly above 0, from -1 if it is clearly below, else 0.
        is_strong: whether it is marked.
    """

    text: str
    detail: str
    shade: int = 0
    is_strong: bool = False


@dataclass(frozen=True)
class Matrix:
    """Numbers of every two models.

    Attributes:
        title: what the numbers are.
        subject: what they are about.
        distance: the distance of the models; None for all distances.
        models: each model and its distance, as text.
        names: of the models, for rows.
        short: of the models, for columns.
        lines: row by row the cells; None on the diagonal, and where there is no number.
        caption: explains the numbers.
    """

    title: str
    subject: Subject
    distance: str | None
    models: Sequence[Sequence[str]]
    names: Sequence[str]
    short: Sequence[str]
    lines: Sequence[Sequence[Cell | None]]
    caption: str

    def first(self, count: int) -> Matrix:
        """The matrix of the first models only."""
        if len(self.names) <= count:
            return self
        lines = [line[:count] for line in self.lines[:count]]
        caption = f"The first {count} of {len(self.names):,} models. {self.caption}"
        return replace(
            self,
            models=self.models[:count],
            names=self.names[:count],
            short=self.short[:count],
            lines=lines,
            caption=caption,
        )

    @classmethod
    def of(
        cls,
        title: str,
        subject: Subject,
        distance: str | None,
        entries: Sequence[Entry],
        cells: Mapping[tuple[Entry, Entry], Cell],
        caption: str,
    ) -> Matrix:
        """The matrix of some models, from the cells of pairs of models."""
        named = [_named(entry, distance) for entry in entries]
        lines = [[cells.get((one, other)) for other in entries] for one in entries]
        names = [", ".join(map(formatting.name, each)) for each in named]
        models = [[*map(formatting.name, entry)] for entry in entries]
        return cls(title, subject, distance, models, names, formatting.labels(named, _LETTERS), lines, caption)


def _named(entry: Entry, distance: str | None) -> list[str]:
    """The name of a model, with its distance if another one is that of the matrix."""
    model, own = entry
    return [model] if own in (distance, SAME, "") else [model, own]


def divided(entries: Sequence[Entry]) -> dict[str | None, list[Entry]]:
    """The models of each matrix: one matrix for each distance, or one for all distances if there are few models.

    The models whose distance no other model has are in every matrix, as labels and people are.
    """
    own: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry[1] not in (SAME, ""):
            own.setdefault(entry[1], []).append(entry)
    several = [distance for distance, found in own.items() if len(found) > 1]
    if len(own) == 1:
        return {next(iter(own)): list(entries)}
    if len(entries) <= FEW or len(several) < 2:
        return {None: list(entries)}
    return {
        distance: [entry for entry in entries if entry[1] == distance or entry[1] not in several]
        for distance in several
    }


def shade(size: float, largest: float) -> int:
    """The shade of a number, which has the sign of the number."""
    steps = min(SHADES, 1 + int(SHADES * abs(size) / max(largest, 1e-12)))
    return steps if size > 0 else -steps

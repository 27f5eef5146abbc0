"""The axis that the bars of a table share, as positions in percent of its width."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from simtool.analysis.report import Block, Row
from simtool.reporting import formatting

__all__ = ["Axis", "Bar"]

#: The free part at each end of an axis, in percent.
_MARGIN = 2.0
#: The steps between ticks, from which the first with at most :data:`_TICKS` ticks is taken.
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
_TICKS = 5


@dataclass(frozen=True)
class Bar:
    """A bar from chance to an estimate, with its interval; positions in percent.

    Attributes:
        start: the left end of the bar.
        width: its width.
        low: the left end of the interval.
        span: the width of the interval.
        side: ``above`` or ``below`` chance, or ``unclear`` if the interval holds chance.
    """

    start: float
    width: float
    low: float
    span: float
    side: str


@dataclass(frozen=True)
class Axis:
    """An axis of accuracies.

    Attributes:
        left: the value at its left end.
        width: the length of the axis.
        origin: chance.
        agreement: the agreement with one other person; None for none.
        bracket: the limits of the best model that knows only the images; None for none.
    """

    left: float
    width: float
    origin: float
    agreement: float | None = None
    bracket: tuple[float, float] | None = None

    @classmethod
    def of(cls, block: Block, ends: Iterable[float] = ()) -> Axis:
        """The axis of a table: it shows chance, all intervals, the noise ceiling, and other values if given."""
        bracket = None if block.noise_ceiling is None else block.noise_ceiling.bracket
        found = [*block.ends, *(bracket or ()), *([] if block.agreement is None else [block.agreement]), *ends]
        return cls.over(found, block.chance, block.agreement, bracket)

    @classmethod
    def over(
        cls,
        values: Iterable[float],
        origin: float,
        agreement: float | None = None,
        bracket: tuple[float, float] | None = None,
    ) -> Axis:
        """The axis that shows some values, and chance."""
        shown = [*values, origin]
        return cls(min(shown), max(max(shown) - min(shown), 1e-9), origin, agreement, bracket)

    def at(self, value: float) -> float:
        """The position of a value."""
        return round(_MARGIN + (100 - 2 * _MARGIN) * (value - self.left) / self.width, 2)

    @property
    def ends(self) -> tuple[float, float]:
        """The values at both ends."""
        return self.left, self.left + self.width

    @property
    def chance(self) -> float:
        """The position of chance."""
        return self.at(self.origin)

    @property
    def person(self) -> float | None:
        """The position of the agreement with one other person."""
        return None if self.agreement is None else self.at(self.agreement)

    @property
    def best(self) -> tuple[float, float] | None:
        """The positions of the limits of the best model that knows only the images."""
        return None if self.bracket is None else (self.at(self.bracket[0]), self.at(self.bracket[1]))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Positions and labels of round values."""
        step = next((step for step in _STEPS if self.width / step < _TICKS), _STEPS[-1])
        first, last = math.ceil(self.left / step - 1e-9), math.floor((self.left + self.width) / step + 1e-9)
        return [(self.at(count * step), formatting.accuracy(count * step, 2)) for count in range(first, last + 1)]

    def bar(self, row: Row) -> Bar:
        """The bar of a row."""
        chance, estimate = self.at(row.chance), self.at(row.estimate)
        side = "above" if row.low > row.chance else "below" if row.high < row.chance else "unclear"
        low, high = self.at(row.low), self.at(row.high)
        return Bar(min(chance, estimate), round(abs(estimate - chance), 2), low, round(high - low, 2), side)

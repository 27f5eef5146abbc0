"""Axes of figures: ticks of accuracies, and a frame without lines that say nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.ticker import Formatter

from simtool.reporting import formatting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Accuracies", "bare"]


class Accuracies(Formatter):
    """Accuracies with two decimals, or with more where ticks are closer."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of ticks."""
        step = min((abs(one - other) for one, other in pairwise(values)), default=1.0)
        digits = next((digits for digits in (2, 3, 4, 5) if math.isclose(step, round(step, digits), rel_tol=1e-6)), 6)
        return [formatting.accuracy(value, digits) for value in values]


def bare(panel: Axes) -> None:
    """Leave the line of values of a panel, and names without marks."""
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)

"""How figures look, whatever they show: their width, the size of their text, a title and a style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "INCH", "PLAIN", "SIZES", "Look", "panels"]

#: Widths of columns of journals, in millimeters: those of Nature, which others are close to.
COLUMNS = {"single": 89.0, "double": 183.0}
#: Millimeters of an inch.
INCH = 25.4
#: The width of a letter of small text in inches.
_LETTER = 0.062
#: The width of a letter of bold text of the usual size in inches.
_BOLD = 0.085
#: The size of text in points: of a figure that is as wide as its content, and of one for a column.
_FREE, _PRINTED = 8.5, 7.0
#: The sizes of texts, relative to the size of text in points. A style sheet can change them if no size is given.
SIZES = {
    "figure.titlesize": "large",
    "figure.labelsize": "small",
    "axes.titlesize": "medium",
    "axes.labelsize": "small",
    "xtick.labelsize": "small",
    "ytick.labelsize": "medium",
    "legend.fontsize": "small",
    "legend.title_fontsize": "small",
}


@dataclass(frozen=True)
class Look:
    """How figures look.

    Attributes:
        title: above the figure; None for none, which is usual in papers.
        width: in millimeters; None for as wide as the content needs.
        size: of the text, in points; None for 8.5, or 7 where the width is given.
        style: a style sheet of matplotlib: its settings by name.
    """

    title: str | None = None
    width: float | None = None
    size: float | None = None
    style: Mapping[str, object] | None = None

    @property
    def points(self) -> float:
        """The size of the text in points."""
        return self.size or (_FREE if self.width is None else _PRINTED)

    @property
    def scale(self) -> float:
        """The size of the text, as a multiple of that of a figure without a given width."""
        return self.points / _FREE

    def wide(self, needed: float) -> float:
        """The width of a figure in inches.

        Args:
            needed: the width in inches that its content would take with text of the usual size.
        """
        return self.scale * needed if self.width is None else self.width / INCH

    def across(self, names: float, panel: float, most: int) -> int:
        """The number of panels side by side, from 1 to ``most``.

        Args:
            names: the width in inches of the names before the panels, with text of the usual size.
            panel: the least width of a panel in inches, likewise.
            most: the number of panels that the figure would have side by side.
        """
        if self.width is None:
            return most
        return max(1, min(most, int((self.width / INCH - self.scale * names) / (self.scale * panel))))

    def letters(self, most: int) -> int:
        """The most letters of a name in small text: ``most``, or fewer where the width is given."""
        return most if self.width is None else max(12, min(most, int(self.named(most * _LETTER) / _LETTER)))

    def line(self, width: float) -> int:
        """The most letters in a line of text of the usual size over a width in inches."""
        return max(20, int(width / self.scale / _BOLD))

    def named(self, longest: float) -> float:
        """The width in inches that names take, at most two fifths of the figure, for text of the usual size.

        Args:
            longest: the width in inches of the longest name, for text of the usual size.
        """
        return longest if self.width is None else min(longest, 0.4 * self.width / INCH / self.scale)


#: As wide as the content, without a title.
PLAIN = Look()


def panels(figure: Figure, count: int, across: int, **options: Any) -> list[Axes]:
    """Make panels, from left to right and from top to bottom. Places that are left in the last row stay empty.

    Args:
        figure: it gets the panels.
        count: number of panels.
        across: number of panels side by side.
        options: of ``Figure.subplots``.
    """
    grid = figure.subplots(math.ceil(count / across), across, squeeze=False, **options)
    for left in grid.flat[count:]:
        left.set_visible(False)
    return list(grid.flat[:count])

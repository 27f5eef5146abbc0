"""A part of a report in every view: tables, a figure and records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from simtool.analysis.report import Report
from simtool.reporting.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Record", "Section", "Sheet"]

#: A flat object of the JSON file, and a line of the CSV file.
Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Sheet:
    """A table of text. Names are escaped by :func:`simtool.reporting.formatting.name`; markup is escaped by the views.

    Attributes:
        title: the line above the table.
        header: the names of the columns.
        lines: the cells, line by line.
        texts: number of columns of text. They come first and are aligned to the left; numbers follow.
        caption: the line below the table.
        in_terminal: whether the terminal shows the table; all other views show it always.
        optional: positions of columns that the terminal leaves out, one by one, while the table is too wide for it.
    """

    title: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    texts: int = 2
    caption: str | None = None
    in_terminal: bool = True
    optional: tuple[int, ...] = ()

    @property
    def narrow(self) -> Sheet:
        """The table without the first of its optional columns."""
        left = self.optional[0]
        lines = [[*line[:left], *line[left + 1 :]] for line in self.lines]
        header = [*self.header[:left], *self.header[left + 1 :]]
        optional = tuple(at - (at > left) for at in self.optional[1:])
        return replace(self, header=header, lines=lines, texts=self.texts - (left < self.texts), optional=optional)


def _nothing(_report: Report) -> Sequence[Any]:
    return ()


@dataclass(frozen=True)
class Section:
    """A part of a report after the accuracies. It is empty if the report does not hold what it shows.

    Attributes:
        name: the name of its figure's file, and of its place in the page.
        sheets: the tables.
        records: the objects for files of numbers, with the columns that docs/metrics.md lists.
        draw: the figure; None if there is nothing to draw. It is called inside
            :func:`simtool.reporting.figure.styled`. It imports matplotlib itself.

    Example:
        A section that counts rows::

            def _sheets(report):
                return [Sheet("Rows", ["model", "distance", "rows"], [["pixels", "mse", str(len(report.rows))]])]


            ROWS = Section("rows", sheets=_sheets)
    """

    name: str
    sheets: Callable[[Report], Sequence[Sheet]] = _nothing
    records: Callable[[Report], Sequence[Record]] = _nothing
    draw: Callable[[Report, Look], Figure | None] | None = None

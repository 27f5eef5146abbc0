"""A part of a report in every view: tables, a figure and records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from simtool.analysis.report import Report
from simtool.reporting.look import Look
from simtool.reporting.sections.matrix import Matrix
from simtool.reporting.sections.subject import NOTHING, Subject

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
        subject: the trials, metric and stratum of the table.
        subjects: those of each line; empty if they are those of the table.
        strata: the strata of columns, by position.
        spread: for each line the values whose distribution the page draws; empty for none.
        chance: the expected value of guessing, for this drawing.
        fold: the name under which the page folds the table; None if the page shows it open.
        is_summary: whether the table counts what the matrices of its section show.
    """

    title: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    texts: int = 2
    caption: str | None = None
    in_terminal: bool = True
    optional: tuple[int, ...] = ()
    subject: Subject = NOTHING
    subjects: Sequence[Subject] = ()
    strata: Mapping[int, str] = field(default_factory=dict)
    spread: Sequence[Sequence[float]] = ()
    chance: float = 0.5
    fold: str | None = None
    is_summary: bool = False

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
        matrices: numbers of every two models, which the page shows in place of the figure.
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
    matrices: Callable[[Report], Sequence[Matrix]] = _nothing

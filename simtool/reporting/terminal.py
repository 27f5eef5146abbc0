"""A report on the terminal: one table for each block, with bars that start at chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from simtool.analysis.baseline import Baseline
from simtool.analysis.metrics import USUAL, Metric, Order
from simtool.analysis.report import Block, Report, Row, Settings
from simtool.reporting import formatting
from simtool.reporting.names import shortened
from simtool.reporting.sections import SECTIONS
from simtool.reporting.sections.section import Sheet

__all__ = ["SheetTable", "terminal_report"]

#: The least and the greatest width of a bar, in columns.
BAR_WIDTH = (10, 60)
#: The least width of the names of models, in columns.
NAME_WIDTH = 12
#: The least width of the other columns of text, and the least width of any beside numbers with hardly enough room.
TEXT_WIDTH, SHORTEST_WIDTH = 8, 4
#: Distance between the columns of a table.
GAP = 2
#: Before the name of a control, which is below its model.
_INDENT = "  "


def terminal_report(report: Report, metrics: Sequence[Metric] = USUAL) -> RenderableType:
    """Lay some metrics of a report out for a terminal of 80 columns or more."""
    parts: list[RenderableType] = [Text(report.title, style="bold")]
    for block in report.blocks(metrics):
        parts += ["", _BlockTables(block, report.settings, report.baseline)]
    for sheet in (sheet for section in SECTIONS for sheet in section.sheets(report) if sheet.in_terminal):
        parts += ["", SheetTable(sheet)]
    parts += ["", *(Text(line, style="dim") for line in formatting.method(report))]
    parts += [Text(line, style="yellow") for line in formatting.notes(report)]
    return Group(*parts)


@dataclass(frozen=True)
class _Axis:
    """The scale that the bars of a block share: values at its ends, chance, agreement of people; width in cells."""

    left: float
    right: float
    chance: float
    agreement: float | None
    width: int

    @classmethod
    def of(cls, block: Block, width: int) -> _Axis:
        agreement = block.agreement
        values = block.ends if agreement is None else [*block.ends, agreement]
        margin = 0.02 * max(max(values) - min(values), 0.01)
        return cls(max(min(values) - margin, 0), min(max(values) + margin, 1), block.chance, agreement, width)

    def place(self, value: float) -> float:
        """The position of a value, in cells from the left."""
        return (value - self.left) / (self.right - self.left) * self.width

    def cell(self, value: float) -> int:
        """The cell that a value lies in."""
        return min(int(self.place(value)), self.width - 1)


@dataclass(frozen=True)
class _Glyphs:
    """The characters of bars. ``partial`` fills growing parts of a cell from the left."""

    full: str
    partial: str
    from_right: str
    whisker: str
    chance: str
    agreement: str
    dash: str
    cut: str
    encoding: str

    def shown(self, text: str) -> str:
        """A text with escapes for characters that the terminal cannot show."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def names(self, row: Row) -> list[str]:
        """The model and the distance of a row."""
        return [self.shown(cell) for cell in formatting.entry(row)]


_UNICODE = _Glyphs("█", " ▏▎▍▌▋▊▉", "▐", "─", "│", "┊", "–", "…", "utf-8")
_ASCII = _Glyphs("#", " ", "#", "-", "|", ":", "-", "~", "ascii")


def _bar(row: Row | None, axis: _Axis, glyphs: _Glyphs) -> Text:
    """A bar from chance to the estimate, a whisker to the far end of the interval, and the two marks."""
    cells = [" "] * axis.width
    if axis.agreement is not None:
        cells[axis.cell(axis.agreement)] = glyphs.agreement
    style = "dim"
    if row is not None:
        style = "cyan" if row.low > row.chance else "red" if row.high < row.chance else "dim"
        _draw(cells, row, axis, glyphs)
    start = axis.cell(axis.chance)
    cells[start] = glyphs.chance
    text = Text("".join(cells), style=style)
    text.stylize("not dim default", start, start + 1)
    return text


def _draw(cells: list[str], row: Row, axis: _Axis, glyphs: _Glyphs) -> None:
    start, end = axis.place(axis.chance), axis.place(row.estimate)
    for cell in range(axis.cell(row.low), axis.cell(row.high) + 1):
        cells[cell] = glyphs.whisker
    for cell in range(int(min(start, end)), axis.cell(max(row.estimate, axis.chance)) + 1):
        filled = min(max(start, end), cell + 1) - max(min(start, end), cell)
        if filled > 1 - 1e-9:
            cells[cell] = glyphs.full
        elif end > start and cell == int(end):
            part = glyphs.partial[int(filled * len(glyphs.partial))]
            cells[cell] = cells[cell] if part == " " else part
        elif end < start and cell == int(end) and filled >= 0.5:
            cells[cell] = glyphs.from_right


@dataclass(frozen=True)
class _BlockTables:
    """The table of a block, and the differences from the baseline, fitted to the width of the terminal.

    Bars shrink first, then the names of models, then the distance between columns and the names of distances. Without
    enough room, there are no bars.
    """

    block: Block
    settings: Settings
    baseline: Baseline | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = _ASCII if options.ascii_only else _UNICODE
        yield Text(formatting.headline(self.block), style="bold")
        yield self._accuracies(options.max_width, glyphs)
        if caption := formatting.block_caption(self.block, self.settings.level):
            yield Text(glyphs.shown(caption), style="dim")
        if self.baseline and any(row.difference for row in self.block.rows):
            yield ""
            yield SheetTable(self._differences(f"Difference from {formatting.baseline(self.baseline)}"))

    def _accuracies(self, width: int, glyphs: _Glyphs) -> Table:
        """A line for each row and for the agreement of people, with bars."""
        block = self.block
        counted_as, counts = formatting.counts(block)
        header = ["model", "distance", "accuracy", f"{formatting.percent(self.settings.level)} CI", *counted_as]
        lines = []
        for row, own in zip(block.rows, counts, strict=True):
            numbers = [formatting.accuracy(row.estimate), formatting.interval(row, glyphs.dash)]
            model, distance = glyphs.names(row)
            model = _INDENT + model if block.is_control(row) else model
            lines.append([model, distance, *numbers, *own])
        people = None if block.noise_ceiling is None else block.noise_ceiling.agreement
        if people is not None:
            numbers = [formatting.accuracy(people.estimate), formatting.interval(people, glyphs.dash)]
            lines.append(["one other person", "", *numbers, *[""] * (len(header) - 4)])
        room = width - BAR_WIDTH[0] - GAP
        table, used = _closest(header, lines, room)
        bars = used <= room
        if not bars:
            table, used = _closest(header, lines, width)
        table = table if used <= width else _folded(header, lines, width, 2)
        fitted = _fitted(lines, table, glyphs)
        axis = _Axis.of(block, min(BAR_WIDTH[1], width - used - GAP)) if bars else None
        if axis is not None:
            digits = 2 if axis.right - axis.left > 0.05 else 3
            left, right = formatting.accuracy(axis.left, digits), formatting.accuracy(axis.right, digits)
            table.add_column(f"{left}{right.rjust(axis.width - len(left))}", no_wrap=True)
        gap = [""] * len(header)
        starts = self._starts()
        for at, (drawn, line) in enumerate(zip([*block.rows, None], fitted, strict=False)):
            if at in starts:
                table.add_row(*gap, *([] if axis is None else [_bar(None, axis, glyphs)]))
            bar = [] if axis is None else [_bar(drawn, axis, glyphs)]
            table.add_row(*map(Text, line), *bar, style=None if drawn else "italic")
        return table

    def _starts(self) -> set[int]:
        """The positions of the first rows of families, apart from the first family, where families are together."""
        if self.settings.order is not Order.FAMILY:
            return set()
        pairs = enumerate(pairwise(row.family for row in self.block.rows), start=1)
        return {at for at, (before, family) in pairs if before != family}

    def _differences(self, title: str) -> Sheet:
        """A line for each row that is compared with the baseline."""
        header = ["model", "distance", "difference", f"{formatting.percent(self.settings.level)} CI", "p", "p (Holm)"]
        lines = []
        for row in self.block.rows:
            if gain := row.difference:
                numbers = [formatting.signed(gain.estimate), formatting.difference_interval(gain)]
                p_values = map(formatting.p_value, (gain.p_value, gain.p_holm))
                lines.append([*formatting.entry(row), *numbers, *p_values])
        return Sheet(f"{title}, on the same comparisons", header, lines, optional=(4,))


@dataclass(frozen=True)
class SheetTable:
    """The table of a section, fitted to the width of the terminal.

    The names of models shrink first, then the distance between columns, then the other texts. Then optional columns
    are left out, one by one. Then cells go to several lines; a number or an interval stays in one line.
    """

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = _ASCII if options.ascii_only else _UNICODE
        width, texts = options.max_width, self.sheet.texts
        lines = [
            [glyphs.shown(cell if at < texts else cell.replace("–", glyphs.dash)) for at, cell in enumerate(line)]
            for line in self.sheet.lines
        ]
        table, used = _closest(self.sheet.header, lines, width, texts)
        if used > width and self.sheet.optional:
            yield SheetTable(self.sheet.narrow)
            return
        if used > width:
            table = _folded(self.sheet.header, lines, width, texts)
        for line in _fitted(lines, table, glyphs, texts):
            table.add_row(*map(Text, line))
        yield Text(glyphs.shown(self.sheet.title), style="bold")
        yield table
        if self.sheet.caption:
            yield Text(glyphs.shown(self.sheet.caption), style="dim")


def _closest(
    header: Sequence[str], lines: Sequence[Sequence[str]], available: int, texts: int = 2
) -> tuple[Table, int]:
    """A table that fits with the widest texts and gaps for which there is room, and its width."""
    for gap, least in ((GAP, None), (1, None), (1, TEXT_WIDTH)):
        table, used = _table(header, lines, available, texts, gap, least)
        if used <= available:
            break
    return table, used


def _table(
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    available: int,
    texts: int = 2,
    gap: int = GAP,
    least: int | None = None,
) -> tuple[Table, int]:
    """A table whose first column (the models) shrinks to fit, and its width. Its first ``texts`` columns are text.

    With ``least``, the other columns of text shrink to this width, too.
    """
    widths = [max(cell_len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    excess = sum(widths) + gap * (len(widths) - 1) - available
    for column in range(texts if least else 1):
        smallest = NAME_WIDTH if column == 0 or least is None else least
        cut = min(max(excess, 0), max(widths[column] - smallest, 0))
        widths[column], excess = widths[column] - cut, excess - cut
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    for column, (title, width) in enumerate(zip(header, widths, strict=True)):
        table.add_column(title, justify="left" if column < texts else "right", width=width, no_wrap=True)
    return table, sum(widths) + gap * (len(widths) - 1)


def _fitted(lines: Sequence[Sequence[str]], table: Table, glyphs: _Glyphs, texts: int = 2) -> list[list[str]]:
    """The lines with texts that fit their columns and stay different: cut if possible, else in several lines."""
    columns = [list(column) for column in zip(*lines, strict=True)]
    for at in range(texts):
        width = table.columns[at].width
        if width is not None and columns:
            columns[at] = _cut(columns[at], table.columns[at], width, glyphs.cut)
    return [list(line) for line in zip(*columns, strict=True)]


def _cut(cells: list[str], column: Column, width: int, cut: str) -> list[str]:
    """The cells of a column of text."""
    indents = [_INDENT if cell.startswith(_INDENT) else "" for cell in cells]
    names = [cell.removeprefix(_INDENT) for cell in cells]
    short = shortened(names, width - max(map(len, indents), default=0), cut)
    if short is None:
        column.no_wrap, column.overflow = False, "fold"
        return cells
    return [indent + short[name] for indent, name in zip(indents, names, strict=True)]


def _folded(header: Sequence[str], lines: Sequence[Sequence[str]], available: int, texts: int) -> Table:
    """A table whose widest columns go to several lines until it fits.

    Titles break at spaces, and numbers before an interval in brackets. Texts get shorter.
    """
    columns = list(zip(header, *lines, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    whole = [
        max(
            map(cell_len, [*title.split(), *(part for cell in cells for part in cell.replace(" (", "\n(").split("\n"))])
        )
        for title, *cells in columns
    ]
    for shortest in (NAME_WIDTH, TEXT_WIDTH, SHORTEST_WIDTH):
        least = [min(width, shortest) if at < texts else whole[at] for at, width in enumerate(widths)]
        while sum(widths) + len(widths) - 1 > available:
            wide = [(width, at) for at, width in enumerate(widths) if width > least[at]]
            if not wide:
                break
            widths[max(wide)[1]] -= 1
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column, (title, width) in enumerate(zip(header, widths, strict=True)):
        table.add_column(title, justify="left" if column < texts else "right", width=width, overflow="fold")
    return table

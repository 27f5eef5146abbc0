"""Texts of cells: CSV files with any spelling and any fault."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.fuzz import values

__all__ = ["Cells", "mutate", "readings", "respell", "text_of"]

csv.field_size_limit(1 << 24)
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "mac-roman", "utf-32")


@dataclass(frozen=True)
class Cells:
    """A table of texts, and how it is written.

    Attributes:
        rows: the header first.
        delimiter: between cells.
        newline: between lines.
        encoding: of the file.
        quoting: as of :mod:`csv`.
        blank: whether blank lines stand between the rows.
        end: whether the last line ends.
    """

    rows: tuple[tuple[str, ...], ...]
    delimiter: str = ","
    newline: str = "\n"
    encoding: str = "utf-8"
    quoting: int = csv.QUOTE_MINIMAL
    blank: bool = False
    end: bool = True

    def with_cell(self, row: int, column: int, value: str) -> Cells:
        """The same table with one cell changed."""
        cells = [list(one) for one in self.rows]
        cells[row][column] = value
        return replace(self, rows=tuple(map(tuple, cells)))


def text_of(cells: Cells) -> bytes:
    """The bytes of the file."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=cells.delimiter, lineterminator=cells.newline, quoting=cells.quoting)  # type: ignore[arg-type]
    for row in cells.rows:
        writer.writerow(row)
        if cells.blank:
            text.write(cells.newline)
    content = text.getvalue()
    return (content if cells.end else content.rstrip("\r\n")).encode(cells.encoding, "replace")


def respell(cells: Cells, chance: Random) -> tuple[str, Cells]:
    """Write the same content in another form that the documentation allows."""
    words = []
    if chance.random() < 0.5:
        cells = replace(cells, delimiter=chance.choice(",;\t"))
        words.append(f"delimiter {cells.delimiter!r}")
    if chance.random() < 0.5:
        cells = replace(cells, newline=chance.choice(("\r\n", "\r", "\n")))
        words.append(f"newline {cells.newline!r}")
    if chance.random() < 0.3:
        cells = replace(cells, encoding=chance.choice(("utf-8-sig", "utf-16")))
        words.append(cells.encoding)
    if chance.random() < 0.3:
        cells = replace(cells, quoting=csv.QUOTE_ALL)
        words.append("all quoted")
    if chance.random() < 0.3:
        cells = replace(cells, end=False)
        words.append("no newline at the end")
    if chance.random() < 0.2:
        case = chance.choice((str.upper, str.title, lambda name: f" {name} "))
        cells = replace(cells, rows=(tuple(map(case, cells.rows[0])), *cells.rows[1:]))
        words.append("another case or blanks in the header")
    if chance.random() < 0.2:
        cells = replace(cells, rows=(cells.rows[0], *(tuple(f" {cell} " for cell in row) for row in cells.rows[1:])))
        words.append("blanks around cells")
    if chance.random() < 0.1:
        cells = replace(cells, blank=True)
        words.append("blank lines")
    if chance.random() < 0.4:
        order = chance.sample(range(len(cells.rows[0])), len(cells.rows[0]))
        cells = replace(cells, rows=tuple(tuple(row[at] for at in order) for row in cells.rows))
        words.append("columns in another order")
    return "; ".join(words) or "as it is", cells


def mutate(cells: Cells, chance: Random) -> tuple[str, bytes]:
    """Change the content, and write it."""
    words = []
    for _ in range(chance.choice((1, 1, 2))):
        said, cells = _mutate(cells, chance)
        words.append(said)
    content = text_of(cells)
    if chance.random() < 0.15:
        said, content = _mutate_text(content, chance)
        words.append(said)
    return "; ".join(words), content


def _mutate(cells: Cells, chance: Random) -> tuple[str, Cells]:
    rows = list(cells.rows)
    at = chance.randrange(len(rows))
    row = list(rows[at])
    column = chance.randrange(len(row)) if row else 0
    ways = ("cell", "cell", "cell", "copy", "header", "drop", "insert", "blank", "comma", "row", "repeat", "respell")
    way = chance.choice(ways)
    match way:
        case "cell" if row:
            row[column] = values.text(chance)
        case "copy" if row:
            row[column] = chance.choice(row)
        case "header":
            at, row = 0, list(rows[0])
            column = chance.randrange(len(row)) if row else 0
            names = ("", "query", "weight", "participant", "count", "ranked", "reference_9", f"{column}", "Query ")
            row = [*row[:column], chance.choice((*names, values.text(chance))), *row[column + 1 :]]
        case "drop":
            del row[column : column + 1]
        case "insert":
            row.insert(column, values.text(chance))
        case "blank":
            row = []
        case "comma":
            row = [""] * len(row)
        case "row":
            del rows[at]
            return f"row {at} dropped", replace(cells, rows=tuple(rows) or ((),))
        case "repeat":
            rows.insert(at, rows[at])
            return f"row {at} twice", replace(cells, rows=tuple(rows))
        case _:
            return _rewrite(cells, chance)
    rows[at] = tuple(row)
    return f"{way} in row {at}: {row!r:.60}", replace(cells, rows=tuple(rows))


def _rewrite(cells: Cells, chance: Random) -> tuple[str, Cells]:
    changed = replace(
        cells,
        encoding=chance.choice(_ENCODINGS),
        delimiter=chance.choice(",;\t|: "),
        newline=chance.choice(("\n", "\r\n", "\r", "\n\n")),
        blank=chance.random() < 0.2,
    )
    return f"as {changed.encoding}, {changed.delimiter!r}, {changed.newline!r}", changed


def _mutate_text(content: bytes, chance: Random) -> tuple[str, bytes]:
    at = chance.randrange(len(content) + 1)
    piece = chance.choice((b'"', b"\0", b"\xff", b"\xe9", b"\r", b'"' * 3, b"\n\n\n", b"x" * 200_000, b"\xef\xbb\xbf"))
    return f"{piece[:9]!r} inserted at {at}", content[:at] + piece + content[at:]


def readings(content: bytes) -> Iterator[Sequence[Sequence[str]]]:
    """All possible readings of the cells of a file, for every encoding and delimiter that give a header."""
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        for delimiter in ",;\t|":
            if delimiter not in text:
                continue
            try:
                yield [*csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)]
            except csv.Error:
                continue

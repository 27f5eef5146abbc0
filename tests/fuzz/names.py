"""Files of names of images: lists, lists of concepts, and tables of ids and names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from simtool.judgments.names import Names, read_names
from tests.fuzz import cells
from tests.fuzz.case import Door, Judge, Made
from tests.fuzz.cells import Cells

__all__ = ["DOORS"]

_NAMES = ("wren", "Tern/a b.jpg", "owl", "robin_01b.jpg", "kite")


def _sheet(chance: Random) -> Cells:
    numbers = chance.sample(range(20), len(_NAMES))
    layouts = {
        "mapping": (("id", "name"), *((str(number), name) for number, name in zip(numbers, _NAMES, strict=True))),
        "concepts": (("Word", "uniqueID"), *((name.title(), name) for name in _NAMES)),
        "list": tuple((name,) for name in _NAMES),
    }
    return Cells(layouts[chance.choice(tuple(layouts))])


def _judge(path: Path) -> Judge:
    """The names are the lines of the file, or a column; the ids are in another column of the same rows."""

    def judge(found: Names) -> str | None:
        for table in cells.readings(path.read_bytes()):
            rows = [[cell.strip() for cell in row] for row in table if any(cell.strip() for cell in row)]
            lines = [" ".join(row) for row in rows]
            if found.are_rows and [*found.names] in (lines, *_columns(rows)):
                return None
            columns = _columns(rows)
            if not found.are_rows and [*found.names] in columns and [*found.ids] in columns:
                return None
        content = path.read_bytes()
        encodings = ("utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32")
        texts = (content.decode(encoding, "replace") for encoding in encodings)
        if any([line.strip() for line in text.rstrip().splitlines()] == [*found.names] for text in texts):
            return None
        return f"not in the file: {found.names!r:.200}"

    return judge


def _columns(rows: list[list[str]]) -> list[list[str]]:
    """The columns below the first row."""
    width = max(map(len, rows), default=0)
    return [[row[at] if at < len(row) else "" for row in rows[1:]] for at in range(width)]


def _structured(chance: Random, folder: Path) -> Made:
    path, sheet = folder / "names.txt", _sheet(chance)
    if len(sheet.rows[0]) > 1 and chance.random() < 0.3:
        words, sheet = cells.respell(sheet, chance)
        path.write_bytes(cells.text_of(sheet))
        return Made(path, words, _judge(path), neutral=True, files=(path,))
    words, content = cells.mutate(sheet, chance)
    path.write_bytes(content)
    return Made(path, words, _judge(path), files=(path,))


def _valid(chance: Random, folder: Path) -> Made:
    path = folder / "names.txt"
    path.write_bytes(cells.text_of(replace(_sheet(chance), newline=chance.choice(("\n", "\r\n")))))
    return Made(path, judge=_judge(path), files=(path,))


DOORS = (Door("names", lambda made: read_names(made.path), _structured, _valid, (800, 300)),)

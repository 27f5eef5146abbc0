"""A table as a file or as a folder of parts, complete or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.sheets import Sheet, mutate, respell, write

__all__ = ["Table", "faithful", "faulty"]


class Table:
    """The written table, and its path.

    Attributes:
        path: the file or folder.
        parts: what lies there, in the order in which it is read.
        words: what was done.
        faulty: what alone makes the table one that has to be refused; empty where nothing does.
    """

    def __init__(self, path: Path, parts: list[Sheet], words: str, faulty: str = "") -> None:
        self.path, self.parts, self.words, self.faulty = path, parts, words, faulty


def _options(chance: Random) -> dict[str, Any]:
    return {
        "compression": chance.choice(("zstd", "snappy", "none", "gzip")),
        "row_group_size": chance.choice((None, None, 1, 2)),
        "data_page_version": chance.choice(("1.0", "2.0")),
        "use_dictionary": chance.random() < 0.5,
        "version": chance.choice(("1.0", "2.6")),
    }


def _halves(sheet: Sheet, chance: Random) -> list[Sheet]:
    at = chance.randrange(len(sheet) + 1) if len(sheet) else 0
    return [sheet.rows(0, at), sheet.rows(at, len(sheet))]


def faithful(sheet: Sheet, chance: Random, folder: Path) -> Table:
    """The same table in another spelling."""
    words, spelled = respell(sheet, chance)
    if chance.random() < 0.6:
        path = folder / "table.parquet"
        write(path, spelled, **_options(chance))
        return Table(path, [spelled], words)
    path = folder / "table"
    path.mkdir()
    parts = _halves(spelled, chance)
    names = chance.choice(
        (
            ("part-00000-of-00002.parquet", "part-00001-of-00002.parquet"),
            ("part-00001-of-00002.parquet", "part-00002-of-00002.parquet"),
            ("a.parquet", "b.parquet"),
            ("part=0/data.parquet", "part=1/data.parquet"),
        )
    )
    for name, part in zip(names, parts, strict=True):
        (path / name).parent.mkdir(exist_ok=True)
        write(path / name, part, **_options(chance))
    return Table(path, parts, f"{words}; as {' and '.join(names)}")


def faulty(sheet: Sheet, chance: Random, folder: Path) -> Table:
    """The table with a fault, in one file or in one of its parts."""
    if chance.random() < 0.75:
        words, changed = mutate(sheet, chance)
        if chance.random() < 0.2:
            more, changed = mutate(changed, chance)
            words = f"{words}; {more}"
        path = folder / "table.parquet"
        write(path, changed, **_options(chance))
        return Table(path, [changed], words)
    path = folder / "table"
    path.mkdir()
    return _faulty_parts(path, sheet, chance)


def _faulty_parts(path: Path, sheet: Sheet, chance: Random) -> Table:
    first, second = _halves(sheet, chance)
    way = chance.choice(("part", "missing", "mixed", "stray", "metadata", "damaged", "same", "beside"))
    names = ["part-00000-of-00002.parquet", "part-00001-of-00002.parquet"]
    words, fault = way, ""
    if way == "part":
        words, second = mutate(second, chance)
    elif way == "missing":
        names, fault = ["part-00000-of-00003.parquet", names[1]], "a part is missing"
    elif way == "mixed":
        names, fault = [names[0], "part-00001-of-00003.parquet"], "parts of two sets"
    elif way == "stray":
        names, fault = [names[0], "other.parquet"], "a stray file"
    elif way == "metadata":
        second = replace(second, metadata=chance.choice((None, b"{}", b'{"table": "images", "version": 99}')))
    elif way == "same":
        second = first
    for name, part in zip(names, (first, second), strict=True):
        write(path / name, part, **_options(chance))
    if way == "damaged":
        (path / names[1]).write_bytes(chance.choice((b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1")))
        fault = "a part is damaged"
    elif way == "beside":
        write(path / "part-0-of-2.parquet", first)
        fault = "a part is there twice"
    return Table(path, [first, second], f"parts: {words}", fault)

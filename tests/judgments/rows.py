"""Trials as plain rows, to compare them with the rows of a CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from simtool.tables.trials import Trials

__all__ = ["lines", "near_rows", "odd_rows", "table"]


def odd_rows(trials: Trials, names: Sequence[str] | None = None) -> list[list[str]]:
    """The images of odd-one-out trials in their order, then the odd one; ids are positions in ``names``."""
    assert {kind.word for kind in trials.types} == {"odd"}
    assert (trials.query == -1).all()
    return [
        [_name(trials, place, names) for place in (*shown, shown[odd])]
        for shown, odd in zip(trials.references.tolist(), trials.selected[:, 0].tolist(), strict=True)
    ]


def near_rows(trials: Trials, names: Sequence[str] | None = None) -> list[list[str]]:
    """The query, the nearer and the farther image of trials with two references."""
    assert set(map(str, trials.types)) == {"2-choose-1"}
    rows = zip(trials.query.tolist(), trials.references.tolist(), trials.selected[:, 0].tolist(), strict=True)
    return [
        [_name(trials, place, names) for place in (query, shown[near], shown[1 - near])] for query, shown, near in rows
    ]


def _name(trials: Trials, place: int, names: Sequence[str] | None) -> str:
    name = str(trials.images[place])
    return name if names is None else names[int(name)]


def table(path: Path, *columns: str) -> list[list[str]]:
    """Columns of a CSV."""
    with path.open(newline="", encoding="utf-8") as text:
        return [[row[column] for column in columns] for row in csv.DictReader(text)]


def lines(path: Path) -> list[str]:
    """The lines of a text."""
    return path.read_text(encoding="utf-8").splitlines()

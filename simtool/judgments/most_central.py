"""Reader of judgments which of three images is the most central one: the cars of Kleindessner & von Luxburg (2017).

A row has the number of the survey, the central image, the three images, and the time; images count from 1. The central
image is nearer to each of the other two than these are to each other: two choices between two references. The time
is in seconds. Only the name of the second column tells these judgments from odd-one-out: it has the word ``central``.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from simtool.judgments.assembly import JudgmentsError, Places, assemble
from simtool.judgments.cells import read_cells, read_header
from simtool.judgments.formats import Reading
from simtool.judgments.records import near_far
from simtool.judgments.shown import from_cells
from simtool.judgments.values import named, numbers
from simtool.kinds import Kind, What
from simtool.tables.labels import Labels
from simtool.text import counted

__all__ = ["read", "recognises"]

_WIDTH = 6
_SURVEY, _CENTRAL, _SHOWN, _SECONDS = 0, 1, (2, 3, 4), 5
#: Rows that must fit.
_LOOKED_AT = 50
_FEWEST = 2


def recognises(source: Path, kind: Kind) -> bool:
    """Accept six columns of numbers, of which the second is named central, and is among the next three."""
    if kind.what is not What.CSV or kind.text is None or len(kind.keys) != _WIDTH:
        return False
    if "central" not in kind.keys[_CENTRAL].casefold():
        return False
    with source.open(encoding=kind.text.encoding, errors="replace", newline="") as text:
        try:
            rows = list(islice(csv.reader(text, delimiter=kind.text.delimiter), 1, 1 + _LOOKED_AT))
        except csv.Error:
            return False
    numbers = [[cell.strip() for cell in row] for row in rows if row]
    return len(numbers) >= _FEWEST and all(
        len(row) == _WIDTH and all(cell.isdecimal() for cell in row[:-1]) and row[_CENTRAL] in row[_SHOWN[0] : _SECONDS]
        for row in numbers
    )


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - numbers are positions
    """Read the rows, each as two trials; the survey is the session: see :class:`simtool.judgments.formats.Reader`.

    The second trials follow after all first trials.
    """
    header = read_header(source)
    if len(header.names) != _WIDTH:
        raise JudgmentsError(f"{source}: has {len(header.names)} columns, not {_WIDTH}: survey, central, three, time")
    cells = read_cells(header, [_SURVEY, _CENTRAL, *_SHOWN])
    count = len(cells)
    if not count:
        raise JudgmentsError(f"{source}: no trials below the header")
    places = Places(str(source), lambda row: f"{source}: line {cells.line_of(row % count)}")
    shown = from_cells(cells, [_CENTRAL, *_SHOWN], 1, places)
    central, three = shown.rows[:, :1], shown.rows[:, 1:]
    places.refuse((three == central).sum(axis=1) != 1, "has a central image that is not one of its three images")
    first, second = three[three != central].reshape(count, 2).T
    places.refuse(first == second, "shows an image twice")
    rows = np.concatenate([np.column_stack([first, central, second]), np.column_stack([second, central, first])])
    session = named(cells.labels(_SURVEY))
    seconds = numbers(cells.texts[_SECONDS], header.names[_SECONDS], places)
    record = replace(
        near_far(replace(shown, rows=rows)),
        session=session and Labels.concatenated([session, session]),
        response_ms=np.tile(seconds * 1000, 2),
    )
    note = f"each of {counted(count, 'rows')} became two trials, one for each image beside the central one"
    return Reading(replace(assemble(record, places), notes=(note,)), [source])

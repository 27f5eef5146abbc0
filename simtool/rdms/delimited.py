"""Reader of delimited text: a long table of pairs, or a square matrix with or without names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from simtool.errors import clipped, first_line
from simtool.judgments.cells import Cells, Header, read_cells, read_header
from simtool.kinds.texts import is_number
from simtool.rdms.rdm import Rdm, RdmError, Request, Stack, names_of, stacked
from simtool.tables.atomic import atomic_path
from simtool.tables.distances import DistanceTable, Pairs
from simtool.tables.files import row_groups, strings

__all__ = ["read_csv", "read_numbers", "write_csv"]

_ENDS = ("image_1", "image_2")
_VALUES = ("distance", "similarity")
_FORMS = (
    "a table of pairs has the header image_1,image_2,distance; a matrix has a row for each column; "
    "simtool import-embeddings takes vectors"
)


def read_numbers(source: Path, request: Request) -> Rdm:
    """Read numbers between blanks, as ``numpy.savetxt`` writes them.

    Raises:
        RdmError: they are no matrix of numbers, or the names do not fit.
    """
    try:
        array = np.loadtxt(source, ndmin=2)
    except ValueError as failure:
        raise RdmError(f"{source}: not a matrix of numbers: {first_line(failure)}") from failure
    stack = stacked(source, array)
    return stack.rdm(source, stack.choose(source, request.rdm), names_of(source, request))


def read_csv(source: Path, request: Request) -> Rdm:
    """Read a CSV: pairs if its header names ``image_1`` and ``image_2``, else a matrix.

    Raises:
        RdmError: it is neither, or a cell holds no number.
        JudgmentsError: a line has another number of cells than the header, or the text is damaged.
    """
    request.refuse_choice(source)
    header = read_header(source)
    names = [re.sub(r"[\s.-]+", "_", name.casefold()) for name in header.names]
    if set(_ENDS) <= set(names):
        return _pairs(header, names, request)
    return _matrix(header, request)


def _pairs(header: Header, names: Sequence[str], request: Request) -> Rdm:
    path = header.path
    request.refuse_names(path)
    found = [name for name in names if name in (*_ENDS, *_VALUES)]
    values = [name for name in found if name in _VALUES]
    if len(found) != 3 or len(values) != 1:
        raise RdmError(f"{path}: this header has {clipped(', '.join(header.names))}; {_FORMS}")
    if values == ["similarity"] and not request.similarity:
        raise RdmError(f"{path}: it has a column similarity: add --similarity if larger numbers mean more similar")
    ends = [names.index(name) for name in _ENDS]
    cells = read_cells(header, ends)
    first, second = (cells.codes[place] for place in ends)
    if (empty := np.flatnonzero((first < 0) | (second < 0))).size:
        raise RdmError(f"{path}: line {cells.line_of(int(empty[0]))} does not name both images")
    place = names.index(values[0])
    return Rdm(Pairs(strings(cells.names), first, second, _numbers(cells, place, cells.texts[place])))


def _matrix(header: Header, request: Request) -> Rdm:
    path, width = header.path, len(header.names)
    cells = read_cells(header, [0])
    start = cells.labels(0).tolist()
    numeric = all(map(is_number, header.names))
    if len(cells) == width - 1 and not numeric:
        request.refuse_names(path)
        names = header.names[1:]
        for at, (row, column) in enumerate(zip(start, names, strict=True), 1):
            if row != column:
                raise RdmError(f"{path}: row {at} is {row}, column {at} is {column}; both need the same order")
        values = [_numbers(cells, place, cells.texts[place]) for place in range(1, width)]
        return Stack([np.column_stack(values)], [""]).rdm(path, 0, names)
    if len(cells) != width and not (numeric and len(cells) == width - 1):
        raise RdmError(f"{path}: {len(cells):,} rows below the header of {width:,} cells; {_FORMS}")
    texts = [pa.chunked_array([pa.array(start, pa.string())]), *(cells.texts[place] for place in range(1, width))]
    matrix = np.column_stack([_numbers(cells, place, column) for place, column in enumerate(texts)])
    if len(cells) == width:
        request.refuse_names(path)
        return Stack([matrix], [""]).rdm(path, 0, header.names)
    whole = np.vstack([np.array(header.names, np.float64), matrix])
    return Stack([whole], [""]).rdm(path, 0, names_of(path, request))


def _numbers(cells: Cells, place: int, column: pa.ChunkedArray) -> NDArray[np.float64]:
    """A column of cells as numbers, (rows,)."""
    name = clipped(cells.header.names[place], 40)
    if column.null_count:
        row = int(np.flatnonzero(column.is_null())[0])
        raise RdmError(f"{cells.header.path}: line {cells.line_of(row)} has no number in column {name}")
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid as failure:
        row, text = next((row, text) for row, text in enumerate(column.to_pylist()) if not is_number(text))
        where = f"{cells.header.path}: line {cells.line_of(row)}"
        raise RdmError(f"{where} has {clipped(text, 40)!r} in column {name}, which should hold a number") from failure


def write_csv(path: Path, table: DistanceTable) -> None:
    """Write a table of pairs with the header ``image_1,image_2,distance``; the numbers keep all digits.

    Raises:
        OSError: the file cannot be written.
    """
    names = pa.array(table.image_id, pa.string())
    schema = pa.schema([*((end, pa.string()) for end in _ENDS), (_VALUES[0], pa.float64())])
    with atomic_path(path) as temporary, csv.CSVWriter(temporary, schema) as writer:
        for rows in row_groups(len(table)):
            ends = (names.take(pa.array(each[rows])) for each in (table.first, table.second))
            writer.write_table(pa.table([*ends, pa.array(table.distance[rows])], schema=schema))

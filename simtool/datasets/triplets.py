"""A CSV of judgments: one trial a line, images by their ids.

The header is ``query,reference_1,...,reference_N,selected_1,...,selected_K``, in any order; the columns
``participant``, ``session``, ``weight``, ``response_ms`` and ``ranked`` are optional. An empty reference cell makes
a trial shorter. With several selections, ``selected_1`` is the first choice, unless ``ranked`` says ``false``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from simtool.datasets.judgments import Judgments, JudgmentsError, Places, Record, assemble
from simtool.errors import listed

__all__ = ["read_triplets"]

HEADER = "query,reference_1,...,reference_N,selected_1,...,selected_K"

#: What pandas and R write for a missing value.
_MISSING = ["", "NA"]
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
_OPTIONAL = {
    "participant": _CATEGORY,
    "session": _CATEGORY,
    "weight": pa.float32(),
    "response_ms": pa.float32(),
    "ranked": pa.bool_(),
}


@dataclass(frozen=True)
class _Header:
    """The columns of a file, and what separates them."""

    columns: tuple[str, ...]
    separator: str
    references: tuple[str, ...]
    selected: tuple[str, ...]

    @property
    def types(self) -> dict[str, pa.DataType]:
        images = dict.fromkeys(("query", *self.references, *self.selected), _CATEGORY)
        return images | {name: kind for name, kind in _OPTIONAL.items() if name in self.columns}


def read_triplets(path: Path) -> Judgments:
    """Read a CSV of judgments; commas, tabs or semicolons separate its cells.

    Args:
        path: the file, in UTF-8.

    Returns:
        The judgments, over the ids of the file.

    Raises:
        JudgmentsError: naming the line that is malformed.
        OSError: the file cannot be read.
    """
    header = _read_header(path)
    table = _read_table(path, header)
    if not table.num_rows:
        raise JudgmentsError(f"{path}: a header and no trials")
    images, codes = _image_codes(table, ["query", *header.references, *header.selected])
    # A data row is named as the line that an editor shows: the header is line 1.
    places = Places(str(path), lambda row: f"{path}: line {row + 2}")
    places.refuse(codes[:, 0] < 0, "has no query")
    references = _closed_up(codes[:, 1 : 1 + len(header.references)])
    chosen = _closed_up(codes[:, 1 + len(header.references) :])
    return assemble(
        Record(
            images=images,
            query=codes[:, 0],
            references=references,
            selected=_positions(references, chosen, places, images),
            ranked=_column(table, "ranked", True),
            trial_id=np.arange(table.num_rows, dtype=np.int64),
            participant=_texts(table, "participant"),
            session=_texts(table, "session"),
            weight=_column(table, "weight", np.nan),
            response_ms=_column(table, "response_ms", np.nan),
        ),
        places,
    )


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        line = file.readline(1 << 20)
    try:
        text = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as failure:
        raise JudgmentsError(f"{path}: neither a known format of judgments nor a CSV in UTF-8") from failure
    separator = max(",\t;", key=text.count)
    columns = tuple(cell.strip() for cell in next(csv.reader([text], delimiter=separator), []))
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise JudgmentsError(f"{path}: the header names {listed(repeated)} twice")
    references, selected = _numbered(path, columns, "reference"), _numbered(path, columns, "selected")
    if "query" not in columns or len(references) < 2 or not selected:
        raise JudgmentsError(f"{path}: the header should be {HEADER} (N at least 2); it is {text[:120] or 'empty'}")
    return _Header(columns, separator, references, selected)


def _numbered(path: Path, columns: Sequence[str], stem: str) -> tuple[str, ...]:
    """The columns ``stem_1``, ``stem_2``, ... in the order of their numbers, which must leave none out."""
    numbers = sorted(int(match[1]) for name in columns if (match := re.fullmatch(rf"{stem}_([1-9]\d*)", name)))
    if numbers != list(range(1, len(numbers) + 1)):
        raise JudgmentsError(f"{path}: the header numbers its {stem} columns {listed(numbers, 9)}: some are missing")
    return tuple(f"{stem}_{number}" for number in numbers)


def _read_table(path: Path, header: _Header) -> pa.Table:
    try:
        table = arrow_csv.read_csv(
            path,
            # Given by name, so that blanks around the names of the header do no harm; line 1 is the header.
            read_options=arrow_csv.ReadOptions(column_names=header.columns, skip_rows=1),
            parse_options=arrow_csv.ParseOptions(delimiter=header.separator),
            convert_options=arrow_csv.ConvertOptions(
                column_types=header.types,
                include_columns=list(header.types),
                null_values=_MISSING,
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowException as failure:
        raise JudgmentsError(f"{path}: {_explain(path, header, failure)}") from failure
    return table.unify_dictionaries().combine_chunks()


def _explain(path: Path, header: _Header, failure: pa.ArrowException) -> str:
    """Say in our words why a file could not be read, with the line where it is a matter of one."""
    message = str(failure).splitlines()[0]
    if "UTF8" in message:
        return "not in UTF-8: save it as CSV UTF-8"
    if match := re.search(r"column #(\d+)[^:]*: CSV conversion error to (\w+): invalid value '(.*)'", message):
        name = list(header.types)[int(match[1])]
        return f"column {name} should hold values of type {match[2]} or be empty; found {match[3]!r}"
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=header.separator)
        try:
            for cells in reader:
                if cells and len(cells) != len(header.columns):
                    return f"line {reader.line_num} has {len(cells)} cells, the header {len(header.columns)}"
        except csv.Error as problem:
            return f"line {reader.line_num}: {problem}"
    return message


def _image_codes(table: pa.Table, names: Sequence[str]) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
    """One vocabulary for several columns.

    Returns:
        The ids, without the blanks around them, and (rows, columns) positions in them, -1 for an empty cell.
    """
    columns = [_single_chunk(table, name) for name in names]
    spelled = pc.utf8_trim_whitespace(pa.concat_arrays([column.dictionary for column in columns]))
    vocabulary = spelled.dictionary_encode()
    meaning = vocabulary.indices.to_numpy()
    codes = np.full((table.num_rows, len(names)), -1, np.int32)
    first = 0
    for place, column in enumerate(columns):
        entries = meaning[first : (first := first + len(column.dictionary))]
        filled = ~column.is_null().to_numpy(zero_copy_only=False)
        codes[filled, place] = entries[column.indices.drop_null().to_numpy()]
    return vocabulary.dictionary.to_numpy(zero_copy_only=False), codes


def _single_chunk(table: pa.Table, name: str) -> pa.DictionaryArray:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _closed_up(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Rows with their empty cells at the end; the order of the others stays."""
    empty = codes < 0
    gaps = np.flatnonzero((np.diff(empty.astype(np.int8), axis=1) < 0).any(axis=1))
    if gaps.size:
        codes = codes.copy()
        codes[gaps] = np.take_along_axis(codes[gaps], np.argsort(empty[gaps], axis=1, kind="stable"), axis=1)
    return codes


def _positions(
    references: NDArray[np.int32], chosen: NDArray[np.int32], places: Places, images: NDArray[np.object_]
) -> NDArray[np.int16]:
    """Where the chosen images stand among the references of their rows; -1 where none is chosen."""
    positions = np.full(chosen.shape, -1, np.int16)
    for rank in range(chosen.shape[1]):
        found = references == chosen[:, rank, None]
        given = chosen[:, rank] >= 0
        strange = given & ~found.any(axis=1)
        named = images[chosen[strange.argmax(), rank]]
        places.refuse(strange, f"selects {named}, which is not among its references")
        positions[given, rank] = found.argmax(axis=1)[given]
    return positions


def _column(table: pa.Table, name: str, absent: Any) -> NDArray[Any]:
    """An optional column of numbers or booleans; ``absent`` where it, or a cell of it, is missing."""
    if name not in table.column_names:
        return np.full(table.num_rows, absent)
    filled: NDArray[Any] = pc.fill_null(table.column(name), absent).to_numpy()
    return filled


def _texts(table: pa.Table, name: str) -> NDArray[np.object_] | None:
    """An optional column of ids, None for an empty cell."""
    if name not in table.column_names:
        return None
    column = _single_chunk(table, name)
    words: NDArray[np.object_] = np.array([*column.dictionary.to_pylist(), None], object)
    texts: NDArray[np.object_] = words[pc.fill_null(column.indices, -1).to_numpy()]
    return texts

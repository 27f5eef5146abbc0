"""Conversion of text cells to numbers, booleans and counts, and the words for missing values.

A cell that cannot be converted is a :class:`JudgmentsError`, whose message names the first such row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import clipped
from simtool.judgments.assembly import Places
from simtool.tables.carried import carried_names
from simtool.tables.labels import Labels

__all__ = [
    "NO_ANSWER",
    "NO_VALUE",
    "are_missing",
    "carried",
    "counts",
    "guessed",
    "named",
    "numbers",
    "positions",
    "truths",
]

#: Words for a missing value, in lower case.
NO_VALUE = frozenset(("", "na", "n/a", "nan", "<na>", "null", "none", "nil", "undefined"))
#: Words for a missing answer; Qualtrics writes -99.
NO_ANSWER = NO_VALUE | frozenset(
    ("timeout", "timed out", "timed_out", "time out", "no response", "no_response", "no answer", "no_answer", "-99")
)
_TRUTHS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
#: The maximum number of judgments of a row.
MOST_COUNT = 1_000_000_000
#: Numbers that keep all their digits when converted: no leading zeros, no other characters.
_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?((0|[1-9][0-9]{0,14})(\.[0-9]{1,17})?|\.[0-9]{1,17})([eE][-+]?[0-9]{1,2})?$"
_TRUTH = "^(?i:true|false)$"
#: Values that are tried before all values of a column are.
_FEW = 100


def numbers(column: pa.ChunkedArray, name: str, places: Places) -> NDArray[np.float64]:
    """Convert a column to numbers; NaN for an empty cell or a word for a missing value."""
    values = _floats(column)
    if values is None:
        values = _floats(_given(column))
    if values is not None:
        return values
    labels = Labels.from_arrow(column)
    each = [_number(text) for text in labels.names.to_pylist()]
    return _by_code(labels, each, np.nan, name, "a number{comma} or be empty", places)


def _floats(texts: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """Convert texts to numbers, NaN for null; None if Arrow cannot read a text as a number."""
    try:
        values = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    # Arrow also reads NaN, and -nan and nan(1), which are no numbers here.
    return None if pc.any(pc.is_nan(values)).as_py() else pc.fill_null(values, np.nan).to_numpy()


def truths(column: Labels, name: str, places: Places) -> NDArray[np.bool_]:
    """Convert a column to booleans; true for an empty cell."""
    values = [_TRUTHS.get(text.casefold(), True if _is_missing(text) else None) for text in column.names.to_pylist()]
    return _by_code(column, values, 1, name, "true or false or be empty", places).astype(bool)


def counts(column: Labels, name: str, places: Places, needed: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Convert a column to integers from 0; only rows that are ``needed`` may not be empty, and None needs all."""
    empty = column.code < 0
    places.refuse(empty if needed is None else empty & needed, f"has no {name}; write 0 for no judgments")
    values = [_whole(text) for text in column.names.to_pylist()]
    return _by_code(column, values, 0, name, f"a whole number from 0 to {MOST_COUNT:,}", places).astype(np.int64)


def positions(column: Labels, name: str, most: int, places: Places) -> NDArray[np.int8]:
    """Convert a column of positions, which count from 1, to positions from 0; -1 for a missing answer."""
    values = [-1 if text.casefold() in NO_ANSWER else _position(text, most) for text in column.names.to_pylist()]
    return _by_code(column, values, -1, name, f"a position from 1 to {most}", places).astype(np.int8)


def named(column: Labels | None) -> Labels | None:
    """Return a column of names; null for a cell that is empty or means "no value"; None without a column."""
    if column is None:
        return None
    code = np.append(np.arange(len(column.names), dtype=np.int32), np.int32(-1))
    code[:-1][are_missing(column.names).to_numpy(zero_copy_only=False)] = -1
    return Labels(column.names, code[column.code])


def _by_code(
    column: Labels, values: Sequence[float | None], absent: float, name: str, what: str, places: Places
) -> NDArray[np.float64]:
    """Return the value of each row's category; a category with the value None is refused."""
    wrong = np.array([*(value is None for value in values), False])[column.code]
    if wrong.any():
        found = clipped(column[int(wrong.argmax())], 40)
        comma = " (with a point, not a comma)" if "," in found else ""
        places.refuse(wrong, f"has {found!r} in column {name}, which should hold {what.format(comma=comma)}")
    table = np.array([*(absent if value is None else value for value in values), absent], np.float64)
    return np.asarray(table[column.code])


def _number(text: str) -> float | None:
    if _is_missing(text):
        return np.nan
    # float() also accepts 1_000 and the digits of other scripts.
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf(inity)?", text, re.ASCII | re.IGNORECASE):
        return None
    return float(text)


def _whole(text: str) -> float | None:
    value = _number(text)
    return value if value is not None and 0 <= value <= MOST_COUNT and value == int(value) else None


def _position(text: str, most: int) -> float | None:
    value = _whole(text)
    return value - 1 if value is not None and 1 <= value <= most else None


def _is_missing(text: str) -> bool:
    return text.casefold() in NO_VALUE


def carried(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.Array]:
    """Return columns to keep by their names in a table of trials, each with the type of all its values."""
    names = carried_names(columns)
    return {names[name]: guessed(column) for name, column in columns.items()}


def guessed(column: pa.ChunkedArray) -> pa.Array:
    """Convert a column to the type of all its values: integers, numbers or booleans, else text.

    Numbers with leading zeros, or with more digits than a float keeps, are names and stay text.
    """
    given = _given(column)
    few = given.drop_null()[:_FEW]
    for pattern, kind in ((_INTEGER, pa.int64()), (_NUMBER, pa.float64()), (_TRUTH, pa.bool_())):
        if len(few) and all(pc.all(pc.match_substring_regex(texts, pattern)).as_py() for texts in (few, given)):
            return (pc.utf8_lower(given) if pa.types.is_boolean(kind) else given).cast(kind).combine_chunks()
    return column.combine_chunks()


def _given(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Replace words for missing values by null."""
    return pc.if_else(are_missing(texts), pa.scalar(None, pa.string()), texts)


def are_missing(texts: pa.Array | pa.ChunkedArray) -> pa.BooleanArray | pa.ChunkedArray:
    """Return which texts are words for a missing value."""
    return pc.is_in(pc.utf8_lower(texts), pa.array(sorted(NO_VALUE)))

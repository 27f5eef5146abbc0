"""Conversion of text cells to numbers, booleans and counts, and the words for missing values.

A cell that cannot be converted is a :class:`JudgmentsError`, whose message names the first such row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import clipped
from simtool.judgments.assembly import Places

__all__ = ["NO_ANSWER", "NO_VALUE", "counts", "guessed", "numbers", "truths"]

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


def numbers(column: pa.DictionaryArray | None, name: str, places: Places) -> NDArray[np.float64] | None:
    """Convert a column to numbers; NaN for an empty cell or a word for a missing value; None without a column."""
    if column is None:
        return None
    values = [_number(text) for text in column.dictionary.to_pylist()]
    return _by_code(column, values, np.nan, name, "a number{comma} or be empty", places)


def truths(column: pa.DictionaryArray, name: str, places: Places) -> NDArray[np.bool_]:
    """Convert a column to booleans; true for an empty cell."""
    values = [
        _TRUTHS.get(text.casefold(), True if _is_missing(text) else None) for text in column.dictionary.to_pylist()
    ]
    return _by_code(column, values, 1, name, "true or false or be empty", places).astype(bool)


def counts(column: pa.DictionaryArray | None, places: Places) -> NDArray[np.int64] | None:
    """Convert a column to integers from 0; None without a column."""
    if column is None:
        return None
    places.refuse(column.is_null().to_numpy(zero_copy_only=False), "has no count; write 0 for no judgments")
    values = [_whole(text) for text in column.dictionary.to_pylist()]
    return _by_code(column, values, 0, "count", f"a whole number from 0 to {MOST_COUNT:,}", places).astype(np.int64)


def _by_code(
    column: pa.DictionaryArray, values: Sequence[float | None], absent: float, name: str, what: str, places: Places
) -> NDArray[np.float64]:
    """Return the value of each row's category; a category with the value None is refused."""
    codes = pc.fill_null(column.indices, -1).to_numpy()
    wrong = np.array([*(value is None for value in values), False])[codes]
    if wrong.any():
        found = clipped(column[int(wrong.argmax())].as_py(), 40)
        comma = " (with a point, not a comma)" if "," in found else ""
        places.refuse(wrong, f"has {found!r} in column {name}, which should hold {what.format(comma=comma)}")
    table = np.array([*(absent if value is None else value for value in values), absent], np.float64)
    return np.asarray(table[codes])


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


def _is_missing(text: str) -> bool:
    return text.casefold() in NO_VALUE


def guessed(column: pa.DictionaryArray) -> pa.Array:
    """Convert a column to the type of all its values: integers, numbers or booleans, else text.

    Numbers with leading zeros, or with more digits than a float keeps, are names and stay text.
    """
    values = column.dictionary
    given = values.filter(pc.invert(pc.is_in(pc.utf8_lower(values), pa.array(sorted(NO_VALUE)))))
    if not len(given):
        return column.cast(pa.string())
    for pattern, kind in ((_INTEGER, pa.int64()), (_NUMBER, pa.float64()), ("^(?i:true|false)$", pa.bool_())):
        if pc.all(pc.match_substring_regex(given, pattern)).as_py():
            lower = pc.utf8_lower(values)
            plain = pc.if_else(pc.is_in(lower, pa.array(sorted(NO_VALUE))), pa.scalar(None, pa.string()), lower)
            return plain.cast(kind).take(column.indices)
    return column.cast(pa.string())

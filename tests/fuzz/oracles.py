"""The correct content of a table, and whether the answer of a reader equals it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from tests.fuzz.values import ABSENT

__all__ = ["difference", "repeated", "same", "sound_trial"]

#: Columns of lists. All other columns hold one value per row.
_LISTS = frozenset(("references", "selected", "embedding", "credits", "relations"))
_NUMBERS = frozenset(("weight", "response_ms", "top_1", "ordered", "unordered", "bbox_x", "log_likelihood"))
_POSITIVE = frozenset(("class_id", "width", "height", "source_id"))


def difference(found: Sequence[Mapping[str, Any]], plain: Sequence[Mapping[str, Any]]) -> str | None:
    """The difference between rows and the content of a table; None if they are equal.

    Args:
        found: the rows that a reader returned, with the columns that it knows.
        plain: the rows of the table; columns that it does not have are null.
    """
    if len(found) != len(plain):
        return f"{len(found)} rows, the table has {len(plain)}"
    for row, (got, said) in enumerate(zip(found, plain, strict=True)):
        for name, value in got.items():
            if name == "trial_id" and said.get(name) is None:
                continue
            if not same(name, value, said.get(name)):
                return f"row {row}: {name} is {value!r:.60}, the table says {said.get(name)!r:.60}"
    return None


def same(name: str, found: Any, said: Any) -> bool:
    """Whether the value that a reader returns equals the value in the table."""
    if name in _LISTS or name.startswith("credit: "):
        if said is None or found is None:
            return not found and not said
        said = _flat(said)
        if len(found) != len(said):
            return False
        return all(_same_value(name, one, other) for one, other in zip(found, said, strict=True))
    return _same_value(name, found, said)


def _flat(values: Sequence[Any]) -> list[Any]:
    """Matrices and tensors row by row."""
    return [one for value in values for one in (_flat(value) if isinstance(value, list) else [value])]


def _same_value(name: str, found: Any, said: Any) -> bool:
    if name in _NUMBERS or name == "embedding" or name.startswith("credit"):
        return _same_number(found, said)
    if name in _POSITIVE:
        return bool(found == (-1 if said is None else said))
    if isinstance(found, int) and not isinstance(said, str):
        return said is not None and bool(found == said)
    if found is None:
        return said is None or str(said).strip() in ABSENT or _is_nan(said)
    return said is not None and found in _spelled(said)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _same_number(found: float, said: Any) -> bool:
    if said is None or _is_nan(said):
        return math.isnan(found)
    if isinstance(said, dict) and len(said) == 1:  # an element as some writers wrap it
        (said,) = said.values()
    if not isinstance(said, int | float | Decimal):
        return False
    with np.errstate(over="ignore"):
        return found == float(said) or found == float(np.float32(said))


def _spelled(value: Any) -> set[str]:
    """The texts that may be written for a value."""
    if isinstance(value, bytes):
        return {value.decode("utf-8", "replace")}
    if isinstance(value, bool):
        return {"true" if value else "false", str(value)}
    if isinstance(value, timedelta):
        return {str(value), str(int(value.total_seconds()))}
    if isinstance(value, datetime):
        # Arrow has its own format for nanoseconds and zones; the day and the second must be right.
        return _Beginning(value.strftime("%Y-%m-%d %H:%M:%S"))
    spelled = {str(value)}
    if isinstance(value, Decimal):
        spelled |= {str(value.normalize()), f"{value.normalize():f}"}
    if isinstance(value, float) and value.is_integer():
        spelled.add(str(int(value)))
    if isinstance(value, str):
        spelled.add(value.strip())
    return spelled


class _Beginning(set[str]):
    """A set of all texts with a certain prefix."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning

    def __contains__(self, text: object) -> bool:
        return str(text).startswith(self._beginning)


def repeated(values: Sequence[Any]) -> bool:
    """Whether a value occurs twice."""
    return len(set(values)) != len(values)


def sound_trial(trial: Mapping[str, Any]) -> str | None:
    """The reason why a trial is impossible; None if it is possible."""
    match = re.fullmatch(r"([0-9]+)-(rank|choose|odd)-([0-9]+)", str(trial["trial_type"]))
    if match is None:
        return f"type {trial['trial_type']!r}"
    n, k = int(match[1]), int(match[3])
    references, selected = list(trial["references"]), list(trial["selected"])
    odd = match[2] == "odd"
    if not 1 <= k < n or (odd and (n < 3 or k > 1)) or len(references) != n or len(selected) != k:
        return f"{len(references)} references and {len(selected)} selections in a {match[0]}"
    if repeated(references) or repeated(selected) or trial["query"] in references:
        return "an image or a selection twice"
    if (trial["query"] is None) != odd or None in references:
        return "an image without a name, or a query in a design without one"
    return None if all(0 <= place < n for place in selected) else "a selection out of range"

"""A plain reader of CSV files of judgments, one row after the other, to compare the reader of the package with."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simtool.judgments.values import NO_ANSWER, NO_VALUE

__all__ = ["PlainJudgments", "read_plainly"]

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
#: The types of other columns by the pattern of their values.
_TYPES: dict[str, Callable[[str], Any]] = {
    r"-?(0|[1-9]\d{0,17})": int,
    r"-?((0|[1-9]\d{0,14})(\.\d{1,17})?|\.\d{1,17})([eE][-+]?\d{1,2})?": float,
    r"(?i:true|false)": lambda text: text.casefold() == "true",
}


@dataclass
class PlainJudgments:
    """The trials, as :func:`tests.studies.plain` shows them; the other columns; and the number of dropped trials."""

    trials: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, list[Any]] = field(default_factory=dict)
    catch: int = 0
    unanswered: int = 0


def read_plainly(text: str, separator: str, extra: tuple[str, ...]) -> PlainJudgments:
    """Read a text with the columns of judgments in lower case, and the columns ``extra``."""
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    rows = [_cells(line, lines.fieldnames or ()) for line in lines]
    filled = [row for row in rows if any(cell is not None for cell in row.values())]
    found, kept = PlainJudgments(), []
    for trial_id, row in enumerate(filled):
        references = [cell for cell in _numbered(row, "reference") if cell is not None]
        answers = [cell for cell in _numbered(row, "selected") if cell is not None]
        answers = [cell for cell in answers if cell in references or cell.casefold() not in NO_ANSWER]
        if row["query"] in references:
            found.catch += 1
        elif not answers:
            found.unanswered += 1
        else:
            ranked = len(answers) > 1 and _TRUTHS.get((row["ranked"] or "true").casefold(), True)
            trial = {
                "trial_id": trial_id,
                "kind": f"{len(references)}-{'rank' if ranked else 'choose'}-{len(answers)}",
                "query": row["query"],
                "references": references,
                "selected": [references.index(answer) for answer in answers],
                "participant": _named(row["participant"]),
                "session": _named(row["session"]),
                "weight": _number(row["weight"]),
                "response_ms": _number(row["response_ms"]),
            }
            found.trials.append(trial)
            kept.append(trial_id)
    for name in extra:
        column = _typed([row[name] for row in filled])
        found.extra[name] = [column[trial_id] for trial_id in kept]
    return found


def _cells(line: dict[str, Any], names: Iterable[str]) -> dict[str, str | None]:
    """Stripped cells; None for an empty cell, for NA and for a cell that the line does not have."""
    texts = {name: (line[name] or "").strip() for name in names}
    return {name: None if text in ("", "NA") else text for name, text in texts.items()}


def _numbered(row: dict[str, str | None], stem: str) -> list[str | None]:
    names = sorted((name for name in row if name.startswith(f"{stem}_")), key=lambda name: int(name.split("_")[1]))
    return [row[name] for name in names]


def _named(text: str | None) -> str | None:
    return None if text is None or text.casefold() in NO_VALUE else text


def _number(text: str | None) -> float | None:
    return None if _named(text) is None else float(np.float32(float(str(text))))


def _typed(column: list[str | None]) -> list[Any]:
    """A column with the type of all its values."""
    given = [text for text in column if _named(text) is not None]
    for pattern, convert in _TYPES.items():
        if given and all(re.fullmatch(pattern, str(text), re.ASCII) for text in given):
            return [None if text is None or _named(text) is None else convert(text) for text in column]
    return list(column)

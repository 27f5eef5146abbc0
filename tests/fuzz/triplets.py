"""A CSV of judgments, and its correct content."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import dropwhile
from pathlib import Path
from random import Random
from typing import Any

from simtool.judgments.importing import import_judgments
from tests.fuzz import cells
from tests.fuzz.case import Door, Made
from tests.fuzz.cells import Cells
from tests.fuzz.tables import rows_of_trials
from tests.fuzz.values import ABSENT

__all__ = ["DOORS", "made_of", "sample", "unlike"]

_Row = Mapping[str, Any]


def sample(chance: Random) -> Cells:
    """A CSV of judgments."""
    pool = [f"{chr(97 + at)}.jpg" for at in range(9)]
    n, k = chance.choice(((2, 1), (4, 2), (3, 1)))
    optional = chance.sample(["participant", "session", "weight", "response_ms"], chance.randrange(4))
    if odd := chance.random() < 0.3:
        k, header = 1, [*(f"image_{at}" for at in range(1, n + 2)), "odd_one"]
    else:
        references = (f"reference_{at}" for at in range(1, n + 1))
        header = ["query", *references, *(f"selected_{at}" for at in range(1, k + 1))]
    rows = [(*header, *optional)]
    for number in range(chance.choice((1, 3, 5))):
        shown = chance.sample(pool, n + 1)
        own = {"participant": f"p{number % 2}", "session": "s", "weight": f"{number / 2}", "response_ms": "812.5"}
        rows.append((*shown, *chance.sample(shown[0 if odd else 1 :], k), *(own[name] for name in optional)))
    return Cells(tuple(rows))


def _plain(table: Sequence[Sequence[str]]) -> list[_Row]:
    """The rows of a table of cells as judgments, without validation."""
    table = list(dropwhile(lambda row: not any(cell.strip() for cell in row), table))
    spelled = [name.strip() for name in table[0]] if table else []
    rows: list[_Row] = []
    for cells_of_row in table[1:]:
        exact = dict(zip(spelled, (cell.strip() for cell in cells_of_row), strict=False))
        named = {name.casefold(): cell for name, cell in exact.items()} | exact
        is_odd = "odd_one" in named and not any(re.match(r"query$|reference_|selected_", name) for name in named)
        answer = named.get("odd_one", "")
        rows.append(
            {
                "query": None if is_odd else named.get("query", ""),
                "references": _numbered(named, "image" if is_odd else "reference"),
                "all references": _numbered(named, "image" if is_odd else "reference", ("", "NA")),
                "chosen": ([] if answer in ABSENT else [answer]) if is_odd else _numbered(named, "selected"),
                "participant": named.get("participant"),
                "weight": _number(named.get("weight")),
                "response_ms": _number(named.get("response_ms")),
                "count": named.get("count"),
            }
        )
    return rows


def _numbered(named: Mapping[str, str], stem: str, absent: Sequence[str] = ABSENT) -> list[str]:
    places = sorted(int(match[1]) for name in named if (match := re.fullmatch(rf"{stem}_(\d{{1,3}})", name)))
    return [named[f"{stem}_{place}"] for place in places if named.get(f"{stem}_{place}", "") not in absent]


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def unlike(found: Sequence[_Row], plain: Sequence[_Row], whole: bool) -> str | None:
    """The difference between judgments and rows. Rows without an answer and catch trials may be dropped.

    Args:
        found: rows of trials.
        plain: what the source says, in its order.
        whole: whether no row may be missing that is not to be dropped.
    """
    at = 0
    for row in found:
        chosen = [row["references"][place] for place in row["selected"]]
        while at < len(plain) and not _is(row, chosen, plain[at]):
            if whole and not _droppable(plain[at]):
                return f"row {at} of the source is lost or changed: {plain[at]!r:.200}"
            at += 1
        if at == len(plain):
            return f"not in the source: {row!r:.200}"
        at += 1 if plain[at].get("count") is None else 0
    rest = plain[at:] if not plain or plain[-1].get("count") is None else []
    lost = [row for row in rest if whole and not _droppable(row)]
    return f"lost: {lost[0]!r:.200}" if lost else None


def _is(row: _Row, chosen: Sequence[str], said: _Row) -> bool:
    same_choice = chosen == said["chosen"] or (
        "choose" in row["trial_type"] and sorted(chosen) == sorted(said["chosen"])
    )
    return bool(
        same_choice
        and row["query"] == said["query"]
        and row["references"] in (said["references"], said.get("all references"))
        and _same_label(row["participant"], said.get("participant"))
        and _close(row["weight"], said.get("weight", math.nan))
        and _close(row["response_ms"], said.get("response_ms", math.nan))
    )


def _same_label(found: str | None, said: str | None) -> bool:
    return found == said or (found is None and (said is None or said in ABSENT))


def _close(found: float, said: float) -> bool:
    return math.isnan(found) or found == said or abs(found - said) <= 1e-6 * abs(said)


def _droppable(row: _Row) -> bool:
    return not row["chosen"] or row["query"] in row["references"] or row.get("count") == "0"


def _judge_cells(made: Made) -> None:
    """Judge by the content of the file, read as a general CSV."""

    def judge(found: Sequence[_Row]) -> str | None:
        complaints = [unlike(found, _plain(table), whole=True) for table in cells.readings(made.path.read_bytes())]
        if any(complaint is None for complaint in complaints):
            return None
        return next(iter(complaints), "read although it is no CSV in any encoding")

    made.judge = judge


def made_of(path: Path, content: bytes, words: str, neutral: bool) -> Made:
    """A CSV of judgments as an input."""
    path.write_bytes(content)
    made = Made(path, words, neutral=neutral, files=(path,))
    _judge_cells(made)
    return made


def _structured(chance: Random, folder: Path) -> Made:
    table = sample(chance)
    if chance.random() < 0.3:
        words, table = cells.respell(table, chance)
        return made_of(folder / "judgments.csv", cells.text_of(table), words, neutral=True)
    words, content = cells.mutate(table, chance)
    return made_of(folder / chance.choice(("judgments.csv", "j.txt")), content, words, neutral=False)


def _valid(chance: Random, folder: Path) -> Made:
    return made_of(folder / "judgments.csv", cells.text_of(sample(chance)), "", neutral=False)


def _read(made: Made) -> list[dict[str, Any]]:
    return rows_of_trials(import_judgments(made.path).judgments.trials)


DOORS = (Door("triplets", _read, _structured, _valid, (3000, 600)),)

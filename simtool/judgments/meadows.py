"""Reader of the annotations of Meadows: odd-one-out choices among three images, as CSV or JSON.

An annotation of a Triplet Choice task has the names of three images (``stim1_name`` to ``stim3_name``), the image that
the participant selected as the odd one (``label``, its name or its Meadows id), the task and the participant. Names can
be padded with blanks. Without a column ``participation`` or ``task``, the name of the file tells the participant and
the position of the task: ``Meadows_STUDY_v_vVERSION_PERSON_TASK_annotations.csv``. Annotations of fewer than three
images belong to other tasks. They are left out and counted.

Source: https://docs.meadows-research.com/downloads/structures/annotations and ``tasks/triplet-choice``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from simtool.errors import clipped, listed
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, assemble
from simtool.judgments.cells import read_cells, read_header
from simtool.judgments.formats import Reading
from simtool.judgments.records import odd_one_out
from simtool.judgments.shown import Shown
from simtool.judgments.values import carried
from simtool.kinds import Kind, What, kind_of
from simtool.tables.files import objects
from simtool.tables.labels import Labels
from simtool.text import counted

__all__ = ["read", "recognises"]

_NAMES = ("stim1_name", "stim2_name", "stim3_name")
_IDS = ("stim1_id", "stim2_id", "stim3_id")
_LABEL, _TASK, _PERSON = "label", "task", "participation"
_TIMES = ("start", "resp")
#: Half of a surrogate pair, and the null character; a table holds neither.
_BROKEN = re.compile(r"[\0\ud800-\udfff]")
_FILE = re.compile(r"Meadows_.+_v_v[^_]+_(?P<person>[a-z]+-[a-z]+)_(?P<task>\d+)(_\w+)?\.\w+")


@dataclass(frozen=True)
class _Annotations:
    """Annotations of three images, and what was left out.

    Attributes:
        rows: the values of each annotation by column; without empty values.
        row: the position of each annotation in the source.
        others: the number of annotations of fewer images, by task.
        columns: the columns of the source.
        places: names the annotations of the source.
    """

    rows: Sequence[Mapping[str, str]]
    row: Sequence[int]
    others: Mapping[str, int]
    columns: Sequence[str]
    places: Places


def recognises(source: Path, kind: Kind) -> bool:
    """Return whether a table has the columns of annotations: see :class:`simtool.judgments.formats.Reader`."""
    if kind.what is What.JSON and "tasks" in kind.keys:
        raise JudgmentsError(
            f"{source}: this is a tree of Meadows, not judgments: simtool import-distances takes its arrangements; for "
            "a Triplet Choice task, download the annotations"
        )
    return {*_NAMES, _LABEL} <= set(kind.keys)


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - the annotations name their images
    """Read annotations: see :class:`simtool.judgments.formats.Reader`."""
    rows, columns, places = _from_json(source) if kind_of(source).what is What.JSON else _from_csv(source)
    if missing := [name for name in (*_NAMES, _LABEL) if name not in columns]:
        raise JudgmentsError(f"{source}: not annotations of Meadows: no column {listed(missing)}")
    told = _FILE.fullmatch(source.name)
    facts = {_PERSON: told["person"], _TASK: told["task"]} if told else {}
    facts = {name: value for name, value in facts.items() if name not in columns}
    rows = [{**facts, **row} for row in rows]
    whole = [place for place, row in enumerate(rows) if all(name in row for name in _NAMES)]
    others = Counter(row.get(_TASK, "?") for row in rows if any(name not in row for name in _NAMES))
    if not whole:
        raise JudgmentsError(
            f"{source}: no annotation of three images: simtool reads the annotations of Triplet Choice tasks"
        )
    found = _Annotations([rows[place] for place in whole], whole, others, (*columns, *facts), places)
    return Reading(_judgments(found), [source])


def _from_csv(source: Path) -> tuple[list[dict[str, str]], list[str], Places]:
    header = read_header(source)
    columns = header.columns()
    cells = read_cells(header, list(columns.values()))
    values = [cells.labels(place).tolist() for place in columns.values()]
    rows = [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(*values, strict=True)
    ]
    return rows, list(columns), Places(str(source), lambda row: f"{source}: line {cells.line_of(row)}")


def _from_json(source: Path) -> tuple[list[dict[str, str]], list[str], Places]:
    try:
        records: Any = json.loads(source.read_bytes())
    except (ValueError, RecursionError) as failure:
        raise JudgmentsError(f"{source}: not JSON, or truncated ({failure})") from failure
    places = Places(str(source), lambda row: f"{source}: annotation {row}")
    if not isinstance(records, list):
        raise JudgmentsError(f"{source}: annotations of Meadows are a list of objects; download them as CSV")
    rows: list[dict[str, str]] = []
    for place, record in enumerate(records):
        if not isinstance(record, dict) or any(isinstance(value, dict | list) for value in record.values()):
            raise JudgmentsError(f"{places.of_row(place)} is no object of texts; download the annotations as CSV")
        texts = {name: str(value).strip() for name, value in record.items() if value is not None}
        rows.append({name: text for name, text in texts.items() if text})
        if any(_BROKEN.search(f"{name}{text}") for name, text in texts.items()):
            raise JudgmentsError(f"{places.of_row(place)} has half a character or a null character; download it again")
    return rows, list(dict.fromkeys(name for record in records for name in record)), places


def _judgments(found: _Annotations) -> Judgments:
    names = list(dict.fromkeys(row[name] for row in found.rows for name in _NAMES))
    place_of = {name: place for place, name in enumerate(names)}
    kept = [name for name in found.columns if name and name not in (*_NAMES, *_IDS, _LABEL, _PERSON, *_TIMES)]
    columns = {name: pa.chunked_array([[row.get(name) for row in found.rows]], pa.string()) for name in kept}
    places = Places(found.places.source, lambda row: found.places.of_row(found.row[row]))
    shown = np.array([[place_of[row[name]] for name in _NAMES] for row in found.rows], np.int32)
    odd = np.array([_odd(row, number, places) for number, row in enumerate(found.rows)])
    judgments = assemble(
        replace(
            odd_one_out(Shown(objects(names), shown), odd),
            trial_id=np.array(found.row, np.int64),
            participant=Labels.of([row.get(_PERSON) for row in found.rows]),
            response_ms=_response_ms(found.rows),
            extra=carried(columns),
        ),
        places,
    )
    notes = ["read as odd-one-out: the label is the odd image"]
    if found.others:
        tasks = listed((f"{task} ({number:,})" for task, number in found.others.items()), 5)
        total = counted(sum(found.others.values()), "annotations")
        notes.append(f"left out {total} of fewer than three images, by task: {tasks}")
    return replace(judgments, notes=tuple(notes))


def _odd(row: Mapping[str, str], number: int, places: Places) -> int:
    """Return the position of the image that the label names; -1 without a label.

    Raises:
        JudgmentsError: the label names none or several of the images.
    """
    if _LABEL not in row:
        return -1
    label = row[_LABEL]
    pairs = zip(_NAMES, _IDS, strict=True)
    named = [place for place, (name, id_) in enumerate(pairs) if label in (row[name], row.get(id_))]
    if len(named) == 1:
        return named[0]
    shown = listed(row[name] for name in _NAMES)
    what = "several" if named else "none"
    raise JudgmentsError(
        f"{places.of_row(number)} has the label {clipped(label, 40)!r}, which is the name or id of {what} of its "
        f"images ({shown}); the label of a Triplet Choice is the selected image"
    )


def _response_ms(rows: Sequence[Mapping[str, str]]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Return the time between presentation and response; None unless all times are ISO 8601."""
    try:
        start, end = (
            pa.array([row.get(name) for row in rows], pa.string()).cast(pa.timestamp("ms", "UTC")) for name in _TIMES
        )
    except pa.ArrowInvalid:
        return None
    first, last = (times.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64) for times in (start, end))
    return np.where(last >= first, last - first, np.nan)

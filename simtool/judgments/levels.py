"""Reader of the odd-one-out judgments of Levels (Muttenthaler et al., 2025): JSON lines, a file for each participant.

The experiment (jsPsych; Frieda-Josefine/HumanEval_experiment) writes a line for every event. The line of a trial has
``subject_id``, ``rt`` (milliseconds), ``image1Path`` to ``image3Path``, ``selected_image`` (the odd one, or
``No image selected``), ``exp_trial_type`` (``exp_trial``, ``catch_trial`` or ``training_trial``), its number, and
``triplet_class`` (``between_class``, ``within_class``, ``class_border``). Other events have no images.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from simtool.errors import clipped, listed
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, assemble
from simtool.judgments.formats import Reading
from simtool.judgments.records import odd_one_out
from simtool.judgments.shown import Shown
from simtool.kinds import Expected, Kind, What, explain, kind_of
from simtool.tables.files import objects
from simtool.tables.labels import Labels
from simtool.text import counted

__all__ = ["read", "recognises"]

_IMAGES = ("image1Path", "image2Path", "image3Path")
_KEYS = frozenset((*_IMAGES, "selected_image"))
_OMISSION = "No image selected"
_CATCH, _TRAINING = "catch_trial", "training_trial"
#: Keys of the number of a trial; the first one that a line has counts.
_NUMBERS = ("trial", "exp_trial_number", "trial_index")
_LINES = frozenset((What.JSON, What.JSON_LINES))
_SUFFIXES = frozenset((".json", ".jsonl", ".ndjson"))
#: Maximum bytes of a file, and characters of a line.
MOST_BYTES = 1 << 28
_LONGEST = 1 << 20


def recognises(source: Path, kind: Kind) -> bool:
    """Accept lines with these keys, or a folder of such files: see :class:`simtool.judgments.formats.Reader`."""
    if kind.what is What.FOLDER:
        return any(_is_participant(kind_of(file)) for file in _files(source))
    return _is_participant(kind)


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - the images are named
    """Read a file, or all files of a folder: see :class:`simtool.judgments.formats.Reader`."""
    files = _participants(source) if source.is_dir() else [source]
    rows = _Rows()
    for file in files:
        for line, trial in _lines(file):
            rows.add(file, line, trial)
    if not rows.place:
        raise JudgmentsError(f"{source}: no trials in it")
    return Reading(rows.judgments(source), files)


def _is_participant(kind: Kind) -> bool:
    return kind.what in _LINES and set(kind.keys) >= _KEYS


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))


def _participants(folder: Path) -> list[Path]:
    """Return the files of participants; other JSON in the folder is refused, because it can be a damaged one."""
    found: list[Path] = []
    for file in _files(folder):
        kind = kind_of(file)
        if _is_participant(kind) and not kind.damage:
            found.append(file)
        elif kind.what in _LINES or file.suffix.lower() in _SUFFIXES:
            raise JudgmentsError(explain(file, Expected.JUDGMENTS))
    if not found:
        raise JudgmentsError(f"{folder}: no JSON lines with the keys {listed(sorted(_KEYS), 9)} in it")
    return found


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file, each with its line."""
    if (size := file.stat().st_size) > MOST_BYTES:
        raise JudgmentsError(f"{file}: {size:,} bytes are too large for the trials of a participant")
    with file.open(encoding="utf-8-sig", errors="surrogateescape") as text:
        for line, content in enumerate(iter(lambda: text.readline(_LONGEST), ""), 1):
            if not content.strip():
                continue
            try:
                trial = json.loads(content)
            except (ValueError, RecursionError) as failure:
                raise JudgmentsError(f"{file}: line {line}: not JSON, or truncated ({failure})") from failure
            if not isinstance(trial, dict):
                raise JudgmentsError(f"{file}: line {line}: not an object with the keys of a trial")
            yield line, trial


@dataclass
class _Rows:
    """Collects the trials of several files."""

    image: dict[str, int] = field(default_factory=dict)
    shown: list[list[int]] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)
    catch: list[bool] = field(default_factory=list)
    response_ms: list[float] = field(default_factory=list)
    participant: list[str | None] = field(default_factory=list)
    trial: list[int | None] = field(default_factory=list)
    triplet_class: list[str | None] = field(default_factory=list)
    place: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    _first: dict[tuple[str, int], Path] = field(default_factory=dict)

    def add(self, file: Path, line: int, trial: dict[str, Any]) -> None:
        """Add a trial. Other events and training trials are counted.

        Raises:
            JudgmentsError: the trial is malformed; the message names the line.
        """
        if _is_other_event(trial) or trial.get("exp_trial_type") == _TRAINING:
            self.left_out["other events" if _is_other_event(trial) else "training trials"] += 1
            return
        try:
            self._add(file, trial)
        except _MalformedError as failure:
            raise JudgmentsError(f"{file}: line {line}: {failure}") from failure
        self.place.append(f"{file}: line {line}")

    def _add(self, file: Path, trial: dict[str, Any]) -> None:
        names = [_text(trial, key) for key in (*_IMAGES, "selected_image")]
        *shown, odd = names
        if None in shown:
            raise _MalformedError(f"no text {_IMAGES[shown.index(None)]!r}")
        if odd not in (None, _OMISSION, *shown):
            raise _MalformedError(f"selects {clipped(odd)}, which is not among its images {listed(shown)}")
        self.shown.append([self.image.setdefault(str(name), len(self.image)) for name in shown])
        self.odd.append(shown.index(odd) if odd in shown else -1)
        self.catch.append(trial.get("exp_trial_type") == _CATCH)
        self.response_ms.append(_number(trial, "rt"))
        self.participant.append(_text(trial, "subject_id"))
        self.trial.append(next((number for key in _NUMBERS if (number := _whole(trial, key)) is not None), None))
        self.triplet_class.append(_text(trial, "triplet_class"))
        self._refuse_copy(file)

    def _refuse_copy(self, file: Path) -> None:
        """Refuse a participant that is also in another file, because the trials would count twice."""
        participant, trial = self.participant[-1], self.trial[-1]
        if participant is None or trial is None:
            return
        if (other := self._first.setdefault((participant, trial), file)) != file:
            raise _MalformedError(f"trial {trial} of participant {participant} is also in {other}: remove one of them")

    def judgments(self, source: Path) -> Judgments:
        """Return the judgments of all trials."""
        shown = Shown(objects(list(self.image)), np.array(self.shown, np.int32))
        record = replace(
            odd_one_out(shown, np.array(self.odd)),
            catch=np.array(self.catch),
            participant=Labels.of(self.participant),
            response_ms=np.array(self.response_ms),
            extra={
                "trial": pa.array(self.trial, pa.int64()),
                "triplet_class": Labels.of(self.triplet_class).to_arrow(),
            },
        )
        judgments = assemble(record, Places(str(source), self.place.__getitem__))
        notes = [f"left out {counted(count, what)}" for what, count in sorted(self.left_out.items())]
        return replace(judgments, notes=tuple(notes))


class _MalformedError(ValueError):
    """A fault of a trial; the caller adds its line."""


def _is_other_event(line: dict[str, Any]) -> bool:
    """Return whether a line shows no images: an instruction, a break, a message."""
    return all(line.get(key) is None for key in (*_IMAGES, "selected_image"))


def _text(trial: dict[str, Any], key: str) -> str | None:
    """Return a text; None if it is missing. A number is taken as text."""
    value = trial.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, dict | list | bool | float):
        raise _MalformedError(f"{key} should be a text; it is {clipped(value, 40)}")
    text = str(value)
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise _MalformedError(f"{key} has a null or half a character, or is not in UTF-8: {text[:40]!r}")
    return text


def _whole(trial: dict[str, Any], key: str) -> int | None:
    """Return a whole number, else None."""
    value = trial.get(key)
    if isinstance(value, float) and value.is_integer():  # pandas writes 12.0 in a column with nulls
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _number(trial: dict[str, Any], key: str) -> float:
    """Return a number from 0, else NaN."""
    value = trial.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if 0 <= value < 1e30 else math.nan

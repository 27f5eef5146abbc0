"""Reader of the JSON sequences of psiz-datasets: the displays and answers of each participant, in order.

A document holds ``{version, data: [{sequence_id, anonymous_id, grade, sequence: [timestep, ...]}]}``, a timestep
``{kind, response_time_ms, interactions: [{kind, detail}]}``. Of its interactions, ``content:query`` and
``content:reference_i`` are the display, ``behavior:rank_j`` is the answer. A detail such as ``PZ001000003E`` is a
stimulus: its first five characters name the stimulus set, the last seven are its number in base 36.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.judgments.catalog import LOCAL_ID_BASE, Catalog, read_catalog
from simtool.judgments.formats import Reading
from simtool.judgments.psiz.documents import Documents, find_documents, no_sequences
from simtool.kinds import Kind, What
from simtool.tables.labels import Labels
from simtool.text import counted

__all__ = ["read", "read_sequences", "recognises"]

_TRIAL = re.compile(r"rank:(\d{1,3})rank(\d{1,3})", re.ASCII)
_SHOWN = re.compile(r"content:reference_(\d{1,3})", re.ASCII)
_CHOSEN = re.compile(r"behavior:rank_(\d{1,3})", re.ASCII)
_STIMULUS = re.compile(r"(\w{5})([0-9A-Z]{7})", re.ASCII)
#: Questions between trials; they are skipped without a warning.
_EXPECTED = "questionnaire:feedback"


def recognises(source: Path, kind: Kind) -> bool:
    """Accept all but folders without sequences: see :class:`simtool.judgments.formats.Reader`."""
    if kind.what in (What.FOLDER, What.EMPTY_FOLDER):
        raise JudgmentsError(no_sequences(source))
    return True


def read(source: Path, catalog: Path | None) -> Reading:
    """Read all documents of a folder or zip, or a single document: see :class:`simtool.judgments.formats.Reader`."""
    documents = find_documents(source)
    if documents is None:
        raise JudgmentsError(no_sequences(source))
    stimuli = documents.catalog() if catalog is None else read_catalog(catalog)
    return Reading(read_sequences(documents, stimuli), documents.files, stimuli)


def read_sequences(documents: Documents, catalog: Catalog) -> Judgments:
    """Read the judgments of sequences.

    ``anonymous_id`` becomes the participant, ``sequence_id`` the session, ``grade / 100`` the weight. The id of a
    trial is its position among the timesteps of all documents. If the documents are in several folders such as
    ``train_seqs`` and ``test_seqs``, the column ``split`` tells the folder. Timesteps of other kinds, such as
    questionnaires, are skipped and counted.

    Raises:
        JudgmentsError: a document is malformed; the message names the document and the timestep.
    """
    reader = _Reader()
    splits = [PurePosixPath(name).parent.name.removesuffix("_seqs") for name in documents.names]
    for split, (name, content) in zip(splits, documents.read(documents.names), strict=True):
        try:
            reader.read(name, content, split)
        except _MalformedError as failure:
            raise JudgmentsError(f"{name}: {failure}") from failure
    if not reader.trials:
        raise JudgmentsError(f"{documents.source}: no ranking trials in its {len(documents.names):,} documents")
    asked = reader.passed_over.pop(_EXPECTED, 0)
    return replace(
        _assemble(reader.trials, str(documents.source), catalog),
        passed_over=dict(reader.passed_over),
        notes=(f"left out {counted(asked, 'questionnaires')} ({_EXPECTED})",) if asked else (),
    )


class _MalformedError(ValueError):
    """A fault of a document; the caller adds the name of the document."""


@dataclass(frozen=True)
class _Trial:
    """A ranking trial: stimuli by number, selections by position."""

    query: int
    references: list[int]
    selected: list[int]
    response_ms: float
    trial_id: int
    participant: str | None
    session: str | None
    weight: float
    split: str
    place: str


@dataclass
class _Reader:
    """Collects the trials of several documents."""

    trials: list[_Trial] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    timesteps: int = 0
    _stimuli: dict[str, int] = field(default_factory=dict)
    _set: str | None = None
    _documents: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, name: str, content: bytes, split: str) -> None:
        """Add the trials of a document of a split."""
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as failure:
            raise _MalformedError(f"not JSON, or truncated ({failure})") from failure
        for sequence in _list(document, "data"):
            self._take_sequence(name, sequence, split)

    def _take_sequence(self, name: str, sequence: Any, split: str) -> None:
        participant, session = _label(sequence, "anonymous_id"), _label(sequence, "sequence_id")
        self._refuse_copy(name, participant, session)
        timesteps = _list(sequence, "sequence")
        weight = _number(sequence, "grade") / 100
        for position, timestep in enumerate(timesteps):
            try:
                answer = self._answer(timestep)
            except _MalformedError as failure:
                raise _MalformedError(f"timestep {position}: {failure}") from failure
            if answer is not None:
                trial_id, place = self.timesteps + position, f"{name}: timestep {position}"
                self.trials.append(_Trial(*answer, trial_id, participant, session, weight, split, place))
        self.timesteps += len(timesteps)

    def _refuse_copy(self, name: str, participant: str | None, session: str | None) -> None:
        """Refuse a sequence that is also in another document, because its trials would count twice."""
        if participant is None or session is None:
            return
        if (other := self._documents.setdefault((participant, session), name)) != name:
            raise _MalformedError(
                f"sequence {session} of participant {participant} is also in {other}: remove one of them"
            )

    def _answer(self, timestep: Any) -> tuple[int, list[int], list[int], float] | None:
        """Return the first four values of a trial; None for other kinds of timestep."""
        kind = _text(timestep, "kind")
        counts = _TRIAL.fullmatch(kind)
        if counts is None:
            self.passed_over[kind] += 1
            return None
        query: int | None = None
        shown: dict[int, int] = {}
        chosen: dict[int, int] = {}
        for interaction in _list(timestep, "interactions"):
            action = _text(interaction, "kind")
            if action == "content:query":
                query = self._number_of(interaction)
            elif match := _SHOWN.fullmatch(action):
                shown[int(match[1])] = self._number_of(interaction)
            elif match := _CHOSEN.fullmatch(action):
                chosen[int(match[1])] = self._number_of(interaction)
        if query is None:
            raise _MalformedError("no content:query")
        references = _in_order(shown, int(counts[1]), f"{kind} needs references")
        # Without any selection the time ran out: the trial has no answer.
        choices = _in_order(chosen, int(counts[2]), f"{kind} needs selections") if chosen else []
        if not set(choices) <= set(references):
            raise _MalformedError("a selection is not among the references")
        positions = [references.index(choice) for choice in choices]
        return query, references, positions, _number(timestep, "response_time_ms")

    def _number_of(self, interaction: Any) -> int:
        """Return the number of the stimulus of an interaction; each stimulus is parsed once."""
        stimulus = _text(interaction, "detail")
        if (known := self._stimuli.get(stimulus)) is not None:
            return known
        match = _STIMULUS.fullmatch(stimulus)
        if match is None:
            raise _MalformedError(f"{stimulus!r} is not a stimulus such as PZ001000003E (set, then number in base 36)")
        if self._set not in (None, match[1]):
            raise _MalformedError(
                f"{stimulus} is not of set {self._set} like the stimuli before: import each set separately"
            )
        self._set = match[1]
        self._stimuli[stimulus] = number = int(match[2], LOCAL_ID_BASE)
        return number


def _in_order(found: dict[int, int], count: int, needed: str) -> list[int]:
    if sorted(found) != list(range(count)):
        raise _MalformedError(f"{needed} 0 to {count - 1}, it has {listed(sorted(found), 9) or 'none'}")
    return [found[place] for place in range(count)]


def _assemble(trials: list[_Trial], source: str, catalog: Catalog) -> Judgments:
    places = Places(source, lambda row: trials[row].place)
    query = catalog.rows_of(np.array([trial.query for trial in trials], np.int64))
    numbers = _padded([trial.references for trial in trials])
    references = catalog.rows_of(numbers)
    places.refuse(
        (query < 0) | ((references < 0) & (numbers >= 0)).any(axis=1),
        f"shows a stimulus that is not in {catalog.name} ({catalog.extent}): give the right catalog with --catalog",
    )
    splits = Labels.of([trial.split for trial in trials])
    return assemble(
        Record(
            images=catalog.image_id,
            query=query,
            references=references,
            selected=_padded([trial.selected for trial in trials]),
            ranked=np.ones(len(trials), bool),
            trial_id=np.array([trial.trial_id for trial in trials], np.int64),
            participant=Labels.of([trial.participant for trial in trials]),
            session=Labels.of([trial.session for trial in trials]),
            weight=np.array([trial.weight for trial in trials]),
            response_ms=np.array([trial.response_ms for trial in trials]),
            extra={"split": splits.to_arrow()} if len(splits.names) > 1 else {},
        ),
        places,
    )


def _value(owner: Any, key: str) -> Any:
    return owner.get(key) if isinstance(owner, dict) else None


def _list(owner: Any, key: str) -> list[Any]:
    value = _value(owner, key)
    if not isinstance(value, list):
        raise _MalformedError(f"no list {key!r}: not a sequence of psiz-datasets")
    return value


def _text(owner: Any, key: str) -> str:
    value = _value(owner, key)
    if not isinstance(value, str):
        found = f"an object with {listed(owner, 4) or 'no keys'}" if isinstance(owner, dict) else type(owner).__name__
        raise _MalformedError(f"no text {key!r} in {found}")
    return value


def _label(owner: Any, key: str) -> str | None:
    """Return an id as text; None if it is missing. A table cannot hold half of a surrogate pair."""
    value = _value(owner, key)
    if value is None or value == "" or isinstance(value, dict | list) or value != value:
        return None
    text = str(value)
    if re.search(r"[\ud800-\udfff]", text):
        raise _MalformedError(f"{key} has half a character: {text[:40]!r}")
    return text


def _number(owner: Any, key: str) -> float:
    """Return a number from 0, else NaN: psiz writes -1 for an unknown number."""
    value = _value(owner, key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if 0 <= value < 1e30 else math.nan


def _padded(lists: list[list[int]]) -> NDArray[np.int64]:
    matrix = np.full((len(lists), max(map(len, lists))), -1, np.int64)
    for row, values in enumerate(lists):
        matrix[row, : len(values)] = values
    return matrix

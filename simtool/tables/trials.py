"""The table of trials: the images that people were shown, and the images that they selected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.errors import listed
from simtool.tables.atomic import atomic_path
from simtool.tables.carried import Carried, carried_names, read_carried, rows_of
from simtool.tables.columns import lengths, lists_of
from simtool.tables.files import (
    TableError,
    check_unique,
    metadata_of,
    objects,
    open_parquet,
    part_files,
    read_batches,
    row_groups,
    write_groups,
)
from simtool.tables.labels import Labels
from simtool.tables.observers import Observers
from simtool.tables.provenance import Provenance
from simtool.tables.trials_columns import OPTIONAL, REQUIRED, TrialsColumns, types_of
from simtool.text import counted

__all__ = [
    "Trials",
    "check_trials",
    "is_catch",
    "judgment_columns",
    "judgment_faults",
    "observers_of",
    "read_trials",
    "stated_observers",
    "trials_of",
    "write_trials",
]

KIND = "trials"
#: Attributes of :class:`Trials` that are not numpy arrays with an entry for each trial.
_OTHERS = frozenset(("images", "types", "extra", "observers"))
#: Trials that are checked at once.
_BLOCK = 1 << 13


@dataclass(frozen=True)
class Trials:
    """T trials over a vocabulary of n images.

    Attributes:
        images: (n,) the distinct image ids.
        trial_id: (T,) unique.
        types: the types of the trials.
        type_index: (T,) positions in ``types``.
        query: (T,) positions in ``images``; -1 if the design has no query.
        references: (T, longest) positions in ``images``, padded with -1.
        selected: (T, longest) positions in a row of ``references``, in order of selection, padded with -1.
        participant: (T,) names or nulls.
        session: (T,) names or nulls.
        weight: (T,) NaN for null.
        response_ms: (T,) NaN for null.
        extra: other columns by name, kept unchanged; (T,) each.
        observers: who judged; None if the table does not state it.
    """

    images: NDArray[np.object_]
    trial_id: NDArray[np.int64]
    types: tuple[TrialType, ...]
    type_index: NDArray[np.int16]
    query: NDArray[np.int32]
    references: NDArray[np.int32]
    selected: NDArray[np.int8]
    participant: Labels
    session: Labels
    weight: NDArray[np.float32]
    response_ms: NDArray[np.float32]
    extra: Carried = field(default_factory=dict)
    observers: Observers | None = None

    @classmethod
    def build(
        cls,
        images: Sequence[str] | NDArray[np.object_],
        trial_type: Labels | Sequence[str] | Sequence[TrialType] | NDArray[np.object_],
        query: NDArray[np.integer[Any]],
        references: NDArray[np.integer[Any]],
        selected: NDArray[np.integer[Any]],
        trial_id: NDArray[np.integer[Any]] | None = None,
        participant: Labels | Sequence[str | None] | NDArray[np.object_] | None = None,
        session: Labels | Sequence[str | None] | NDArray[np.object_] | None = None,
        weight: NDArray[np.floating[Any]] | None = None,
        response_ms: NDArray[np.floating[Any]] | None = None,
        extra: Carried | None = None,
        observers: Observers | None = None,
    ) -> Trials:
        """Build trials from columns; see the attributes for their shapes. Missing columns are null; ids count from 0.

        Raises:
            TableError: a trial is impossible; the message names the first one, their number, and the fault.
        """
        count = len(query)
        kinds = trial_type if isinstance(trial_type, Labels) else Labels.of([str(kind) for kind in trial_type])
        trials = cls(
            images=objects(images),
            trial_id=np.arange(count, dtype=np.int64) if trial_id is None else np.asarray(trial_id, np.int64),
            types=types_of(kinds.names),
            type_index=kinds.code.astype(np.int16),
            query=np.asarray(query, np.int32),
            references=np.asarray(references, np.int32),
            selected=np.asarray(selected, np.int8),
            participant=Labels.nulls(count) if participant is None else Labels.of(participant),
            session=Labels.nulls(count) if session is None else Labels.of(session),
            weight=_floats(weight, count),
            response_ms=_floats(response_ms, count),
            extra=extra or {},
            observers=observers,
        )
        trials.validate()
        return trials

    def __len__(self) -> int:
        return len(self.query)

    def __repr__(self) -> str:
        counts = f"{counted(len(self), 'trials')}, {counted(len(self.images), 'images')}"
        return f"Trials({counts}, {', '.join(map(str, self.types))})"

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_] | slice) -> Trials:
        """Some of the trials, by positions, mask or slice, with the same ``images``."""
        columns = (column.name for column in fields(self) if column.name not in _OTHERS)
        return replace(self, **{name: getattr(self, name)[rows] for name in columns}, extra=rows_of(self.extra, rows))

    def of_type(self, kind: TrialType) -> NDArray[np.intp]:
        """The positions of the trials of one type."""
        return np.flatnonzero(self.type_index == self.types.index(kind))

    @property
    def implied(self) -> NDArray[np.int64]:
        """(T,) the number of comparisons that each trial implies."""
        return np.array([kind.comparisons for kind in self.types], np.int64)[self.type_index]

    @cached_property
    def comparisons(self) -> int:
        """The number of comparisons that all trials imply."""
        counts = [int(np.count_nonzero(self.type_index == place)) for place in range(len(self.types))]
        return sum(count * kind.comparisons for count, kind in zip(counts, self.types, strict=True))

    def validate(self) -> None:
        """Check that all trials are possible.

        Raises:
            TableError: naming the first trial, their number, and the fault.
        """
        if not (self.trial_id[1:] > self.trial_id[:-1]).all():
            check_unique(Path("trials"), "trial_id", self.trial_id)
        for fault, complaint in self._faults():
            if (rows := np.flatnonzero(fault)).size:
                others = f" (and {rows.size - 1:,} more)" if rows.size > 1 else ""
                raise TableError(f"trial_id {self.trial_id[rows[0]]}{others} {complaint}")

    def _faults(self) -> Iterator[tuple[NDArray[np.bool_], str]]:
        """The trials that have a fault, (T,), and the fault in words that follow the name of a trial."""
        n_reference = np.array([kind.n_reference for kind in self.types])
        n_select = np.array([kind.n_select for kind in self.types])
        asks = np.array([kind.has_query for kind in self.types], bool)[self.type_index]
        count, kind, beyond = len(self), self.type_index, len(self.images)
        yield (
            _by_blocks(count, lambda rows: lengths(self.references[rows]) != n_reference[kind[rows]]),
            "has another number of references than its trial type states",
        )
        yield (
            _by_blocks(count, lambda rows: lengths(self.selected[rows]) != n_select[kind[rows]]),
            "has another number of selections than its trial type states",
        )
        yield asks & (self.query < 0), "has no query"
        yield ~asks & (self.query >= 0), "has a query, which trials of its type do not have"
        yield (
            (self.query >= beyond) | _by_blocks(count, lambda rows: _reach(self.references[rows], beyond)),
            "shows an image outside the vocabulary",
        )
        yield (
            _by_blocks(count, lambda rows: _reach(self.selected[rows], n_reference[kind[rows]])),
            "selects a position outside its references",
        )
        yield from judgment_faults(self.references, self.selected, self.weight)
        yield (
            is_catch(self.query, self.references),
            "shows its query among its references (catch trial: leave it out)",
        )


def is_catch(query: NDArray[np.integer[Any]], references: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which trials show their query among their references.

    Args:
        query: (T,), -1 where there is none.
        references: (T, N), padded with -1.
    """

    def shown_again(rows: slice) -> NDArray[np.bool_]:
        columns = _columns(references[rows])
        found: NDArray[np.bool_] = ((columns == query[rows]) & (columns >= 0)).any(axis=0)
        return found

    return _by_blocks(len(query), shown_again)


def judgment_faults(
    references: NDArray[np.integer[Any]], selected: NDArray[np.integer[Any]], weight: NDArray[np.float32] | None
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Faults that a judgment may have in a table and in a source.

    Args:
        references: (T, N), padded with -1.
        selected: (T, K), padded with -1.
        weight: (T,) NaN where null.

    Yields:
        The trials that have a fault, (T,), and the fault in words that follow the name of a trial.
    """
    yield _by_blocks(len(references), lambda rows: _repeats(references[rows])), "shows a reference twice"
    yield _by_blocks(len(selected), lambda rows: _repeats(selected[rows])), "selects a reference twice"
    if weight is not None:
        yield weight < 0, "has a negative weight"
        yield np.isinf(weight), "has a weight beyond 3.4e38"


def _repeats(matrix: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which rows hold a value twice, other than padding."""
    columns = _columns(matrix)
    repeated = np.zeros(len(matrix), bool)
    for shift in range(1, len(columns)):
        repeated |= ((columns[shift:] == columns[:-shift]) & (columns[shift:] >= 0)).any(axis=0)
    return repeated


def _reach(matrix: NDArray[np.integer[Any]], limit: int | NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which rows hold a value that is not less than a limit, or than the limit of the row."""
    return np.asarray((_columns(matrix) >= limit).any(axis=0))


def _columns(matrix: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """The columns, each contiguous in memory: reductions of short rows are several times slower."""
    return np.ascontiguousarray(matrix.T)


def _by_blocks(count: int, fault: Callable[[slice], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """A test of rows, computed for so many rows at once that their columns stay in the cache of the processor."""
    faults = np.empty(count, bool)
    for start in range(0, count, _BLOCK):
        rows = slice(start, start + _BLOCK)
        faults[rows] = fault(rows)
    return faults


def _floats(values: NDArray[Any] | None, count: int) -> NDArray[np.float32]:
    return np.full(count, np.nan, np.float32) if values is None else np.asarray(values, np.float32)


def read_trials(path: Path, checked: bool = True) -> Trials:
    """Read a trials table; without ``trial_id`` the rows count from 0.

    Args:
        path: the table.
        checked: False where the caller calls :func:`check_trials` later.

    Raises:
        TableError: a column is missing or of another type, or a trial is impossible.
    """
    columns = TrialsColumns()
    for batch in read_batches(path, KIND, REQUIRED, OPTIONAL):
        columns.add(batch)
    extra = read_carried(path, {*REQUIRED, *OPTIONAL})
    named = carried_names(extra.column_names)
    trials = trials_of(path, columns, {new: extra.column(old) for old, new in named.items()})
    if checked:
        check_trials(path, trials)
    return trials


def trials_of(path: Path, columns: TrialsColumns, extra: Mapping[str, pa.ChunkedArray]) -> Trials:
    """The trials of a table of trials or outcomes, not yet validated.

    Raises:
        TableError: the table has no rows, a type of trials is unknown, or a value is missing.
    """
    if not len(columns):
        raise TableError(f"{path}: the table has no rows")
    others = {name: column.combine_chunks() for name, column in extra.items()}
    try:
        return Trials(**columns.arrays(), extra=others, observers=observers_of(path))
    except TableError as failure:
        raise TableError(f"{path}: {failure}") from failure


def check_trials(path: Path, trials: Trials) -> None:
    """Check that all trials of a table are possible.

    Raises:
        TableError: naming the table, the first trial, their number, and the fault.
    """
    try:
        trials.validate()
    except TableError as failure:
        raise TableError(f"{path}: {failure}") from failure


def observers_of(path: Path) -> Observers | None:
    """Who judged, as the metadata of a table of trials or outcomes state it; None if they do not.

    Raises:
        TableError: the metadata state something else, or the parts do not agree.
    """
    stated = [metadata_of(open_parquet(part).schema_arrow).get("observers") for part in part_files(path)]
    if any(other != stated[0] for other in stated):
        raise TableError(f"{path}: its parts do not agree who judged: {listed(dict.fromkeys(map(str, stated)))}")
    try:
        return None if stated[0] is None else Observers(stated[0])
    except ValueError as failure:
        raise TableError(f"{path}: the metadata's observers should be {listed(Observers)}: {failure}") from failure


def judgment_columns(trials: Trials, images: pa.StringArray) -> dict[str, pa.Array]:
    """The columns of trials in a table of trials or outcomes; texts as codes of the names that occur.

    Args:
        trials: T trials.
        images: the ids of their images.
    """
    kinds = pa.array([str(kind) for kind in trials.types], pa.string())
    shown, chosen = trials.references >= 0, trials.selected >= 0
    extra = {name: trials.extra[old] for old, name in carried_names(trials.extra).items()}
    return {
        "trial_id": pa.array(trials.trial_id, pa.int64()),
        "trial_type": _codes(Labels(kinds, trials.type_index.astype(np.int32))),
        "query": _codes(Labels(images, trials.query)),
        "references": lists_of(trials.references, _codes(Labels(images, trials.references[shown]))),
        "selected": lists_of(trials.selected, pa.array(trials.selected[chosen])),
        "participant": _codes(trials.participant),
        "session": _codes(trials.session),
        "weight": pa.array(trials.weight, pa.float32(), mask=np.isnan(trials.weight)),
        "response_ms": pa.array(trials.response_ms, pa.float32(), mask=np.isnan(trials.response_ms)),
        **extra,
    }


def _codes(labels: Labels) -> pa.DictionaryArray:
    return labels.used().to_arrow()


def write_trials(path: Path, trials: Trials, provenance: Provenance) -> None:
    """Write a trials table, atomically.

    Raises:
        TableError: a trial is impossible.
        OSError: the place cannot be written.
    """
    trials.validate()
    images = pa.array(trials.images, pa.string())
    groups = (judgment_columns(trials.take(rows), images) for rows in row_groups(len(trials)))
    with atomic_path(path) as temporary:
        write_groups(temporary, groups, {"trial_id", *REQUIRED}, KIND, provenance, stated_observers(trials))


def stated_observers(trials: Trials) -> dict[str, str]:
    """The entry of the metadata that states who judged."""
    return {} if trials.observers is None else {"observers": str(trials.observers)}

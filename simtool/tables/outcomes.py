"""The table of outcomes: what a model with a distance predicts for each judgment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.tables.atomic import atomic_path
from simtool.tables.files import TableError, read_columns, schema_with_metadata
from simtool.tables.provenance import Provenance
from simtool.tables.ragged import lists_of, padded
from simtool.tables.trials import OPTIONAL as TRIALS_OPTIONAL
from simtool.tables.trials import REQUIRED as TRIALS_REQUIRED
from simtool.tables.trials import Trials, judgment_columns, trials_from_columns

__all__ = ["Outcomes", "OutcomesWriter", "read_outcomes"]

KIND = "outcomes"
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_SCORES = ("top_1", "ordered", "unordered")
_JUDGMENT = ("trial_id", "trial_type", "query", "references", "selected", "participant", "session", "weight")
_SCHEMA = pa.schema(
    [
        pa.field("model", _DICTIONARY, nullable=False),
        pa.field("distance", _DICTIONARY, nullable=False),
        pa.field("trial_id", pa.int64(), nullable=False),
        pa.field("trial_type", pa.string(), nullable=False),
        pa.field("participant", pa.string()),
        pa.field("session", pa.string()),
        pa.field("weight", pa.float32()),
        pa.field("query", pa.string(), nullable=False),
        pa.field("references", pa.list_(pa.string()), nullable=False),
        pa.field("selected", pa.list_(pa.int8()), nullable=False),
        pa.field("credits", pa.list_(pa.float32()), nullable=False),
        pa.field("relations", pa.list_(pa.int8())),
        *(pa.field(name, pa.float32(), nullable=False) for name in _SCORES),
        pa.field("log_likelihood", pa.float32()),
    ]
)
#: Trials in a row group: written one after the other, they bound the memory of writing.
_GROUP_ROWS = 1 << 17


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of one model with one distance on T trials.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trials: the judgments.
        credits: (T, most comparisons), 1 right, 1/2 tied, 0 wrong, NaN behind the end; the order of
            ``trials.comparisons()``.
        top_1: (T,) expected credit for the first choice, ties broken at random.
        ordered: (T,) the same for the selection in its order.
        unordered: (T,) the same for the selected set.
        relations: (T, most comparisons), -1 behind the end; bits 0 and 1: the selected and the other
            reference share the query's class, bits 2 and 3: its group. None where unknown.
        log_likelihood: (T,) nats; None where no model of choice was fitted.
    """

    model: str
    distance: str
    trials: Trials
    credits: NDArray[np.float32]
    top_1: NDArray[np.float32]
    ordered: NDArray[np.float32]
    unordered: NDArray[np.float32]
    relations: NDArray[np.int8] | None = None
    log_likelihood: NDArray[np.float32] | None = None


class OutcomesWriter:
    """Writes outcomes, one model and distance after the other; the file appears whole at the end, or not at all."""

    def __init__(self, path: Path, provenance: Provenance) -> None:
        self._schema = schema_with_metadata(_SCHEMA, KIND, provenance, {})
        self._atomic = atomic_path(path)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(self._atomic)
            self._writer = stack.enter_context(pq.ParquetWriter(temporary, self._schema, compression="zstd"))
            self._stack = stack.pop_all()
        return self

    def write(self, outcomes: Outcomes) -> None:
        """Append the outcomes of one model and distance.

        Raises:
            OSError: the disk is full.
        """
        for start in range(0, len(outcomes.trials), _GROUP_ROWS):
            self._write_group(outcomes, slice(start, start + _GROUP_ROWS))

    def _write_group(self, outcomes: Outcomes, rows: slice) -> None:
        trials = outcomes.trials.take(rows)
        columns = judgment_columns(trials)
        inside = np.arange(outcomes.credits.shape[1]) < _comparisons(trials)[:, None]
        relations, likelihood = outcomes.relations, outcomes.log_likelihood
        columns |= {
            "model": _constant(outcomes.model, len(trials)),
            "distance": _constant(outcomes.distance, len(trials)),
            "credits": lists_of(outcomes.credits[rows], inside, pa.float32()),
            "relations": pa.nulls(len(trials)) if relations is None else lists_of(relations[rows], inside, pa.int8()),
            **{name: pa.array(getattr(outcomes, name)[rows], pa.float32()) for name in _SCORES},
            "log_likelihood": pa.array(likelihood[rows]) if likelihood is not None else pa.nulls(len(trials)),
        }
        arrays = [columns[field.name].cast(field.type) for field in self._schema]
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, value, trace)


def _comparisons(trials: Trials) -> NDArray[np.int64]:
    """(T,) how many comparisons each trial implies."""
    return np.array([kind.comparisons for kind in trials.types], np.int64)[trials.type_index]


def _constant(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def read_outcomes(paths: Sequence[Path]) -> list[Outcomes]:
    """Read the outcomes of every model and distance in some tables.

    Models that were scored on the same judgments share one :class:`Trials` object.

    Args:
        paths: files, or folders of parts.

    Returns:
        One element for each model and distance, in the order of first appearance.

    Raises:
        TableError: a table is not one of outcomes, or holds a model and distance that another holds too.
    """
    found: list[Outcomes] = []
    shared: list[tuple[pa.Table, Trials]] = []
    for path in paths:
        for outcomes in _of_table(path, shared):
            if any((other.model, other.distance) == (outcomes.model, outcomes.distance) for other in found):
                raise TableError(f"{path}: {outcomes.model} with {outcomes.distance} is there twice; leave one out")
            found.append(outcomes)
    return found


def _of_table(path: Path, shared: list[tuple[pa.Table, Trials]]) -> Iterator[Outcomes]:
    required = {"model": _DICTIONARY, "distance": _DICTIONARY, **TRIALS_REQUIRED, "credits": pa.list_(pa.float32())}
    required |= dict.fromkeys(_SCORES, pa.float32())
    optional = {**TRIALS_OPTIONAL, "relations": pa.list_(pa.int8()), "log_likelihood": pa.float32()}
    table = read_columns(path, KIND, required, optional)
    if not table.num_rows:
        raise TableError(f"{path}: the table has no rows")
    for model, distance, rows in _groups(table):
        yield _outcomes(
            path, model, distance, table.take(rows) if isinstance(rows, pa.Array) else table.slice(*rows), shared
        )


def _groups(table: pa.Table) -> Iterator[tuple[str, str, Any]]:
    """Each model and distance with its rows: as (offset, length) where they stand together, else as positions."""
    columns = [table.column(name).combine_chunks() for name in ("model", "distance")]
    models, distances = (column.dictionary.to_pylist() for column in columns)
    codes = columns[0].indices.to_numpy().astype(np.int64) * len(distances) + columns[1].indices.to_numpy()
    present, first, counts = np.unique(codes, return_index=True, return_counts=True)
    for at in np.argsort(first):
        code, start, count = int(present[at]), int(first[at]), int(counts[at])
        together = bool((codes[start : start + count] == code).all())
        rows = (start, count) if together else pa.array(np.flatnonzero(codes == code))
        yield models[code // len(distances)], distances[code % len(distances)], rows


def _outcomes(
    path: Path, model: str, distance: str, table: pa.Table, shared: list[tuple[pa.Table, Trials]]
) -> Outcomes:
    trials = _trials(path, table, shared)
    credits = padded("credits", table.column("credits"), np.nan)
    most = int(_comparisons(trials).max())
    if credits.shape[1] != most or ((~np.isnan(credits)).sum(axis=1) != _comparisons(trials)).any():
        raise TableError(f"{path}: {model} with {distance}: credits are not one for each comparison of a trial")
    scores = {name: table.column(name).to_numpy() for name in _SCORES}
    for name, values in {"credits": credits, **scores}.items():
        if bad := np.flatnonzero(((values < 0) | (values > 1)).reshape(len(trials), -1).any(axis=1)).tolist():
            ids = listed(trials.trial_id[bad])
            raise TableError(f"{path}: {model} with {distance}: {name} outside 0 to 1 at trial_id {ids}")
    relations, likelihood = table.column("relations"), table.column("log_likelihood")
    return Outcomes(
        model=model,
        distance=distance,
        trials=trials,
        credits=credits,
        **scores,
        relations=None if relations.null_count else padded("relations", relations, -1),
        log_likelihood=None if likelihood.null_count else likelihood.to_numpy(),
    )


def _trials(path: Path, table: pa.Table, shared: list[tuple[pa.Table, Trials]]) -> Trials:
    """The judgments of a slice of outcomes; an object that is at hand already, where they are the same."""
    judgments = table.select(list(_JUDGMENT))
    for known, trials in shared:
        if known.equals(judgments):
            return trials
    trials = trials_from_columns(path, table)
    shared.append((judgments, trials))
    return trials

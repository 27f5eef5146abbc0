"""The table of outcomes: what a model with a distance predicts for each judgment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.errors import listed
from simtool.tables.atomic import atomic_path
from simtool.tables.carried import read_carried
from simtool.tables.files import TableError, read_columns, schema_with_metadata
from simtool.tables.parquet import WRITING
from simtool.tables.provenance import Provenance
from simtool.tables.trials import OPTIONAL as TRIALS_OPTIONAL
from simtool.tables.trials import REQUIRED as TRIALS_REQUIRED
from simtool.tables.trials import Trials, judgment_columns, observers_of, stated_observers, trials_from_columns

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
_KNOWN = frozenset((*_SCHEMA.names, *TRIALS_OPTIONAL))
#: Trials in a row group: written one after the other, they bound the memory of writing.
_GROUP_ROWS = 1 << 17
#: The greatest finite number of a column.
_GREATEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of one model with one distance on T trials.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trials: the judgments.
        credit: (C,) of each comparison, trial by trial in the order of the contract: 1 right, 1/2 tied, 0 wrong.
        log_likelihood: (T,) nats; None where no model of choice was fitted.
    """

    model: str
    distance: str
    trials: Trials
    credit: NDArray[np.float32]
    log_likelihood: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if len(self.credit) != self.trials.implied.sum():
            raise ValueError(f"{len(self.credit)} values of credit for {self.trials.implied.sum()} comparisons")

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """(T + 1,) the position of the first comparison of each trial; the last entry is C."""
        return np.concatenate([[0], np.cumsum(self.trials.implied)])

    def of_type(self, kind: TrialType) -> NDArray[np.float32]:
        """The credit of the trials of one type, (t, comparisons)."""
        rows = self.trials.of_type(kind)
        if rows.size == len(self.trials):
            return self.credit.reshape(rows.size, -1)
        credit: NDArray[np.float32] = self.credit[self.start[rows, None] + np.arange(kind.comparisons)]
        return credit

    def take(self, rows: NDArray[np.integer[Any]]) -> Outcomes:
        """The outcomes of the trials at some positions."""
        counts = self.trials.implied[rows]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        credit = self.credit[np.repeat(self.start[rows], counts) + inside]
        likelihood = None if self.log_likelihood is None else self.log_likelihood[rows]
        return replace(self, trials=self.trials.take(rows), credit=credit, log_likelihood=likelihood)


class OutcomesWriter:
    """Writes outcomes, one model and distance after the other; the file appears whole at the end, or not at all."""

    def __init__(self, path: Path, provenance: Provenance, trials: Trials) -> None:
        """Prepare to write outcomes on ``trials``, or on some of them."""
        extra = [pa.field(name, column.type) for name, column in trials.extra.items()]
        self._schema = schema_with_metadata(pa.schema([*_SCHEMA, *extra]), KIND, provenance, stated_observers(trials))
        self._atomic = atomic_path(path)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(self._atomic)
            self._writer = stack.enter_context(pq.ParquetWriter(temporary, self._schema, **WRITING))
            self._stack = stack.pop_all()
        return self

    def write(self, outcomes: Outcomes) -> None:
        """Append the outcomes of one model and distance.

        Raises:
            OSError: the disk is full.
        """
        for start in range(0, len(outcomes.trials), _GROUP_ROWS):
            rows = np.arange(start, min(start + _GROUP_ROWS, len(outcomes.trials)))
            self._write_group(outcomes.take(rows))

    def _write_group(self, outcomes: Outcomes) -> None:
        trials = outcomes.trials
        columns = judgment_columns(trials)
        scores = {name: np.zeros(len(trials), np.float32) for name in _SCORES}
        for kind in (kind for kind in trials.types if trials.of_type(kind).size):
            rows = trials.of_type(kind)
            for name in _SCORES:
                score = kind.scores.get(name, kind.scores["top_1"])
                scores[name][rows] = score.of(outcomes.of_type(kind), trials.selected[rows, : kind.n_select])
        likelihood = outcomes.log_likelihood
        columns |= {
            "model": _constant(outcomes.model, len(trials)),
            "distance": _constant(outcomes.distance, len(trials)),
            "credits": pa.ListArray.from_arrays(
                pa.array(outcomes.start.astype(np.int32)), pa.array(outcomes.credit, pa.float32())
            ),
            "relations": pa.nulls(len(trials)),
            **{name: pa.array(scores[name], pa.float32()) for name in _SCORES},
            "log_likelihood": pa.array(likelihood) if likelihood is not None else pa.nulls(len(trials)),
        }
        arrays = [columns[field.name].cast(field.type) for field in self._schema]
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, value, trace)


def _constant(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def read_outcomes(paths: Sequence[Path]) -> list[Outcomes]:
    """Read the outcomes of every model and distance in some tables.

    Entries on the same judgments share one :class:`Trials` object, in whatever order their tables list them.
    A model and distance that was scored on several experiments has an entry for each.

    Args:
        paths: files, or folders of parts.

    Returns:
        One element for each model, distance and table, in the order of first appearance.

    Raises:
        TableError: a table is not one of outcomes, or holds a model and distance on judgments on which an earlier one
            holds it too.
    """
    found: list[Outcomes] = []
    samples: list[_Sample] = []
    for path in paths:
        for model, distance, rows in _slices(path):
            sample, order = _sample_of(path, rows, samples)
            outcomes = _outcomes(path, model, distance, rows if order is None else rows.take(order), sample.trials)
            _refuse_repeats(path, outcomes, found, sample, samples)
            found.append(outcomes)
    return found


@dataclass(frozen=True)
class _Sample:
    """Judgments as a table holds them, and the trials that they are."""

    judgments: pa.Table
    trials: Trials

    @cached_property
    def content(self) -> pa.Array:
        """What was judged, by whom, and how, as one text for each row; the number of the trial does not count."""
        return _texts(self.judgments.drop_columns(["trial_id"]))

    @cached_property
    def numbered(self) -> pa.Array:
        """The same with the number of the trial."""
        return _texts(self.judgments)


def _texts(table: pa.Table) -> pa.Array:
    """Each row as one text."""
    columns = [
        pc.binary_join(column.cast(pa.list_(pa.large_string())), pa.scalar("\x1e", pa.large_string()))
        if pa.types.is_list(column.type)
        else column.cast(pa.large_string())
        for column in table.columns
    ]
    joined = pc.binary_join_element_wise(
        *columns, pa.scalar("\x1f", pa.large_string()), null_handling="replace", null_replacement="\x00"
    )
    return joined.combine_chunks()


def _sample_of(path: Path, rows: pa.Table, samples: list[_Sample]) -> tuple[_Sample, pa.Array | None]:
    """The judgments of a slice of outcomes: those at hand where they are the same, else added to them.

    Returns:
        The judgments, and the order of the slice's rows that fits them; None where they fit as they are.
    """
    judgments = rows.select(list(_JUDGMENT))
    for known in samples:
        if known.judgments.equals(judgments):
            return known, None
    extra = rows.select([name for name in rows.column_names if name not in _KNOWN])
    trials = trials_from_columns(path, rows, extra, observers_of(path))
    sample = _Sample(judgments, trials)
    for known in samples:
        if (order := _order_like(known, sample)) is not None:
            return known, order
    samples.append(sample)
    return sample, None


def _order_like(known: _Sample, other: _Sample) -> pa.Array | None:
    """The order in which the rows of ``other`` are the judgments of ``known``; None where they are others."""
    if known.judgments.num_rows != other.judgments.num_rows:
        return None
    theirs, ours = (_ranks(sample) for sample in (known, other))
    if not known.content.take(theirs).equals(other.content.take(ours)):
        return None
    return ours.take(pc.array_sort_indices(theirs))


def _ranks(sample: _Sample) -> pa.Array:
    """The order of the rows by content; equal judgments in the order of their numbers."""
    keys = pa.table({"content": sample.content, "trial_id": sample.judgments.column("trial_id")})
    return pc.sort_indices(keys, sort_keys=[("content", "ascending"), ("trial_id", "ascending")])


def _refuse_repeats(
    path: Path, outcomes: Outcomes, found: Sequence[Outcomes], sample: _Sample, samples: Sequence[_Sample]
) -> None:
    """Refuse a model and distance whose judgments are all in an earlier entry of the same name, or the reverse.

    Raises:
        TableError: naming both.
    """
    label = f"{outcomes.model} with {outcomes.distance}"
    for earlier in found:
        if (earlier.model, earlier.distance) != (outcomes.model, outcomes.distance):
            continue
        if earlier.trials is outcomes.trials:
            if np.array_equal(earlier.credit, outcomes.credit):
                raise TableError(f"{path}: {label} is there twice, on the same judgments; leave one out")
            raise TableError(
                f"{path}: {label} is there twice, on the same judgments but with other credits: if these are two "
                "models, give one of them another name with embed --name and score it again, else leave one out"
            )
        other = next(one for one in samples if one.trials is earlier.trials)
        few, many = sorted((sample.numbered, other.numbered), key=len)
        if pc.all(pc.is_in(few, value_set=many)).as_py():
            raise TableError(
                f"{path}: {label} is there twice: one table holds all {len(few):,} judgments of the other; "
                "leave one out"
            )


def _slices(path: Path) -> Iterator[tuple[str, str, pa.Table]]:
    """Each model and distance of a table, with its rows."""
    required = {"model": _DICTIONARY, "distance": _DICTIONARY, **TRIALS_REQUIRED, "credits": pa.list_(pa.float32())}
    required |= dict.fromkeys(_SCORES, pa.float32())
    optional = {**TRIALS_OPTIONAL, "relations": pa.list_(pa.int8()), "log_likelihood": pa.float32()}
    table = read_columns(path, KIND, required, optional)
    carried = read_carried(path, _KNOWN)
    for name in carried.column_names:
        table = table.append_column(name, carried.column(name))
    if not table.num_rows:
        raise TableError(f"{path}: the table has no rows")
    for model, distance, rows in _groups(table):
        yield model, distance, table.take(rows) if isinstance(rows, pa.Array) else table.slice(*rows)


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


def _outcomes(path: Path, model: str, distance: str, table: pa.Table, trials: Trials) -> Outcomes:
    """The entry of one model and distance.

    Raises:
        TableError: a value is missing, not a number or impossible; the message names the trials.
    """
    column = _Column(f"{path}: {model} with {distance}", table, trials)
    return Outcomes(
        model=model,
        distance=distance,
        trials=trials,
        credit=column.of_comparisons("credits", (0, 1)),
        log_likelihood=column.of_trials("log_likelihood", (-_GREATEST, _GREATEST))
        if column.given("log_likelihood")
        else None,
    )


class _Column:
    """The numbers of one model and distance, checked; complaints name the trials at fault."""

    def __init__(self, label: str, table: pa.Table, trials: Trials) -> None:
        self._label, self._table, self._trials = label, table, trials

    def given(self, name: str) -> bool:
        """Whether an optional column is there; it is so for all trials of a model or for none.

        Raises:
            TableError: it is there for some.
        """
        missing = pc.is_null(self._table.column(name)).to_numpy()
        if missing.all():
            return False
        self._refuse(
            missing, f"{name} is there for some trials only (fill it, or leave it empty for all): it is missing"
        )
        return True

    def of_trials(self, name: str, bounds: tuple[float, float]) -> NDArray[np.float32]:
        """(T,) one number a trial."""
        values: NDArray[np.float32] = self._table.column(name).to_numpy()
        self._refuse(~_within(values, bounds), _complaint(name, bounds))
        return values

    def of_comparisons(self, name: str, bounds: tuple[float, float]) -> NDArray[Any]:
        """(C,) one number a comparison."""
        column = self._table.column(name).combine_chunks()
        counts = pc.list_value_length(column).to_numpy()
        wanted = self._trials.implied
        self._refuse(counts != wanted, f"{name} are not one for each comparison of a trial")
        flat = column.flatten()
        values: NDArray[Any] = pc.fill_null(flat, bounds[0] - 1).to_numpy()
        fault = ~_within(values, bounds)
        self._refuse(
            np.isin(np.arange(len(wanted)), np.repeat(np.arange(len(wanted)), wanted)[fault]), _complaint(name, bounds)
        )
        return values

    def _refuse(self, fault: NDArray[np.bool_], complaint: str) -> None:
        if fault.any():
            raise TableError(f"{self._label}: {complaint} at trial_id {listed(self._trials.trial_id[fault])}")


def _within(values: NDArray[Any], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Which values are numbers between the bounds."""
    within: NDArray[np.bool_] = (values >= bounds[0]) & (values <= bounds[1])
    return within


def _complaint(name: str, bounds: tuple[float, float]) -> str:
    return (
        f"{name} is not finite" if bounds[1] == _GREATEST else f"{name} is not a number from {bounds[0]} to {bounds[1]}"
    )

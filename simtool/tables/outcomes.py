"""Outcomes: the credit that a model with a distance earns on each judgment, and tables of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.errors import listed
from simtool.tables.outcomes_layout import Slice, slices
from simtool.tables.parquet import TableError
from simtool.tables.trials import OPTIONAL as TRIALS_OPTIONAL
from simtool.tables.trials import REQUIRED as TRIALS_REQUIRED
from simtool.tables.trials import Trials, judgment_columns, observers_of, trials_from_columns
from simtool.text import counted

__all__ = ["Outcomes", "read_outcomes"]

_JUDGMENT = ("trial_id", "trial_type", "query", "references", "selected", "participant", "session", "weight")
#: The name of outcomes in memory, for messages.
_MEMORY = Path("outcomes in memory")


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of a model with a distance on T trials.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trials: the judgments.
        credit: (C,) of each comparison, trial by trial in the order of the contract: 1 right, 1/2 tied, 0 wrong.
        log_likelihood: (T,) nats; None if no model of choice was fitted.
    """

    model: str
    distance: str
    trials: Trials
    credit: NDArray[np.float32]
    log_likelihood: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        return f"Outcomes({self.model}, {self.distance}, {counted(len(self.trials), 'trials')})"

    def __post_init__(self) -> None:
        if len(self.credit) != self.trials.comparisons:
            raise ValueError(f"{len(self.credit)} values of credit for {self.trials.comparisons} comparisons")

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """(T + 1,) the position of the first comparison of each trial; the last entry is C."""
        return np.concatenate([[0], np.cumsum(self.trials.implied)])

    def of_type(self, kind: TrialType) -> NDArray[np.float32]:
        """The credit of the trials of one type, (t, comparisons)."""
        if self.trials.types == (kind,):
            return self.credit.reshape(len(self.trials), -1)
        rows = self.trials.of_type(kind)
        credit: NDArray[np.float32] = self.credit[self.start[rows, None] + np.arange(kind.comparisons)]
        return credit

    def take(self, rows: NDArray[np.integer[Any]]) -> Outcomes:
        """The outcomes of the trials at some positions."""
        counts = self.trials.implied[rows]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        credit = self.credit[np.repeat(self.start[rows], counts) + inside]
        likelihood = None if self.log_likelihood is None else self.log_likelihood[rows]
        return replace(self, trials=self.trials.take(rows), credit=credit, log_likelihood=likelihood)


def read_outcomes(sources: Sequence[Path | Outcomes]) -> list[Outcomes]:
    """Read the outcomes of every model and distance in some tables.

    Entries on the same judgments share one :class:`Trials` object, also if their tables list them in different orders.
    A model and distance that was scored on several experiments has an entry for each experiment.

    Args:
        sources: files, folders of parts, and outcomes in memory.

    Returns:
        One element for each model, distance and table, in the order of first appearance.

    Raises:
        TableError: a file is not a table of outcomes, or a model and distance occurs twice on the same judgments.
    """
    found: list[Outcomes] = []
    samples: list[_Sample] = []
    for source in sources:
        path = _MEMORY if isinstance(source, Outcomes) else source
        entries = [_held(source, samples)] if isinstance(source, Outcomes) else _read(source, samples)
        for outcomes, sample in entries:
            _refuse_repeats(path, outcomes, found, sample, samples)
            found.append(outcomes)
    return found


def _read(path: Path, samples: list[_Sample]) -> Iterator[tuple[Outcomes, _Sample]]:
    """The outcomes of a table, and the sample that each belongs to."""
    for part in slices(path):
        sample, order = _sample_of(path, part.judgments, samples)
        yield _outcomes(path, part, order, sample.trials), sample


def _held(outcomes: Outcomes, samples: list[_Sample]) -> tuple[Outcomes, _Sample]:
    """Outcomes in memory on the trials of a known sample with the same judgments, and this sample."""
    rows = pa.table(judgment_columns(replace(outcomes.trials, extra={})))
    sample, order = _sample_of(_MEMORY, rows, samples, outcomes.trials)
    if sample.trials is outcomes.trials:
        return outcomes, sample
    ordered = outcomes if order is None else outcomes.take(order.to_numpy())
    return replace(ordered, trials=sample.trials), sample


@dataclass(frozen=True)
class _Sample:
    """Judgments as a table with all of its columns of trials, and as trials."""

    source: pa.Table
    trials: Trials

    @cached_property
    def judgments(self) -> pa.Table:
        """The columns that tell judgments apart."""
        return self.source.select(list(_JUDGMENT))

    @cached_property
    def content(self) -> pa.Array:
        """The whole judgment without the number of the trial, as one text for each row."""
        return _texts(self.judgments.drop_columns(["trial_id"]))

    @cached_property
    def numbered(self) -> pa.Array:
        """The whole judgment with the number of the trial, as one text for each row."""
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


def _sample_of(
    path: Path, rows: pa.Table, samples: list[_Sample], trials: Trials | None = None
) -> tuple[_Sample, pa.Array | None]:
    """Find judgments among known samples; add a sample where there is none.

    Returns the sample, and the order of the rows that matches it; None if the order is the same.
    """
    for known in samples:
        if known.source is rows or known.judgments.equals(rows.select(list(_JUDGMENT))):
            return known, None
    extra = rows.drop_columns([*TRIALS_REQUIRED, *TRIALS_OPTIONAL])
    own = trials_from_columns(path, rows, extra, observers_of(path)) if trials is None else trials
    sample = _Sample(rows, own)
    for known in samples:
        if (order := _order_like(known, sample)) is not None:
            return known, order
    samples.append(sample)
    return sample, None


def _order_like(known: _Sample, other: _Sample) -> pa.Array | None:
    """The order in which the rows of ``other`` are the judgments of ``known``; None if they are different judgments."""
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
    """Refuse a model and distance if all judgments of it, or of an earlier entry of the same name, are in both."""
    label = f"{outcomes.model} with {outcomes.distance}"
    for earlier in found:
        if (earlier.model, earlier.distance) != (outcomes.model, outcomes.distance):
            continue
        if earlier.trials is outcomes.trials:
            if np.array_equal(earlier.credit, outcomes.credit):
                raise TableError(f"{path}: {label} occurs twice, on the same judgments; leave one out")
            raise TableError(
                f"{path}: {label} occurs twice, on the same judgments but with other credits: if these are two "
                "models, give one of them another name with embed --name and score it again, else leave one out"
            )
        other = next(one for one in samples if one.trials is earlier.trials)
        few, many = sorted((sample.numbered, other.numbered), key=len)
        if pc.all(pc.is_in(few, value_set=many)).as_py():
            raise TableError(
                f"{path}: {label} occurs twice: one table holds all {len(few):,} judgments of the other; leave one out"
            )


def _outcomes(path: Path, part: Slice, order: pa.Array | None, trials: Trials) -> Outcomes:
    """The entry of one model and distance, its rows in the order of the trials; refuses impossible values."""
    credit, likelihood = (each if order is None else each.take(order) for each in (part.credit, part.log_likelihood))

    def refuse(fault: NDArray[np.bool_], complaint: str) -> None:
        if fault.any():
            place = f"{path}: {part.model} with {part.distance}"
            raise TableError(f"{place}: {complaint} at trial_id {listed(trials.trial_id[fault])}")

    implied = trials.implied
    counts = pc.list_value_length(credit).to_numpy()
    refuse(counts != implied, "the number of credits is not that of the comparisons")
    values: NDArray[np.float32] = pc.fill_null(credit.flatten(), -1).to_numpy()
    fault = ~((values >= 0) & (values <= 1))
    if fault.any():
        trial = np.repeat(np.arange(len(implied)), implied)
        refuse(np.bincount(trial[fault], minlength=len(implied)) > 0, "credit is not a number from 0 to 1")
    if likelihood.null_count == len(likelihood):
        return Outcomes(part.model, part.distance, trials, values)
    nats: NDArray[np.float32] = likelihood.to_numpy(zero_copy_only=False)
    refuse(~np.isfinite(nats), "log_likelihood is missing or not finite")
    return Outcomes(part.model, part.distance, trials, values, nats)

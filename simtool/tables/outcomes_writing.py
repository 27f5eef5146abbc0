"""Writing tables of outcomes, in version 2 of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simtool.tables.atomic import atomic_path
from simtool.tables.files import CREDIT, schema_of, schema_with_metadata
from simtool.tables.outcomes import Outcomes
from simtool.tables.outcomes_layout import KIND, CreditColumn
from simtool.tables.parquet import WRITING
from simtool.tables.provenance import Provenance
from simtool.tables.trials import REQUIRED, Trials, judgment_columns, stated_observers

__all__ = ["OutcomesWriter", "outcomes_writer"]

#: Trials in a row group: no column of a group comes near 2 GiB, beyond which Arrow splits or refuses it.
_GROUP_ROWS = 1 << 17
#: Bytes of distinct texts that Parquet keeps in a dictionary before it repeats them in each row.
_DICTIONARY_BYTES = 64 << 20


class OutcomesWriter:
    """Collects outcomes on the same trials, and writes them as one table.

    Args:
        trials: the trials of the table. Outcomes are on all of them, or on some.
    """

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._entries: dict[CreditColumn, _Entry] = {}

    def write(self, outcomes: Outcomes) -> None:
        """Add the outcomes of one model and distance."""
        used = [*(column.column for column in self._entries), *self._trials.extra]
        taken = {name.casefold() for name in used}
        name = f"{CREDIT}{outcomes.model}, {outcomes.distance}".encode("utf-8", "replace").decode()
        names = (name if number == 1 else f"{name} ({number})" for number in count(1))
        column = next(name for name in names if name.casefold() not in taken)
        self._entries[CreditColumn(column, outcomes.model, outcomes.distance)] = _Entry(self._trials, outcomes)

    def save(self, path: Path, provenance: Provenance) -> None:
        """Write the table, some trials at a time.

        Raises:
            OSError: the disk is full.
        """
        schema = self._schema(provenance)
        with pq.ParquetWriter(path, schema, dictionary_pagesize_limit=_DICTIONARY_BYTES, **WRITING) as writer:
            for start in range(0, len(self._trials), _GROUP_ROWS):
                rows = slice(start, min(start + _GROUP_ROWS, len(self._trials)))
                writer.write_table(pa.table(self._arrays(rows), schema=schema))

    def _arrays(self, rows: slice) -> dict[str, pa.Array]:
        arrays = judgment_columns(self._trials.take(rows))
        for column, entry in self._entries.items():
            arrays[column.column] = entry.credit(rows)
            if entry.log_likelihood is not None:
                arrays[column.likelihood] = pa.array(entry.log_likelihood[rows], mask=~entry.scored[rows])
        return arrays

    def _schema(self, provenance: Provenance) -> pa.Schema:
        schema = schema_of(self._arrays(slice(0, 0)), {"trial_id", *REQUIRED})
        stated = {**stated_observers(self._trials), "credit": [asdict(column) for column in self._entries]}
        return schema_with_metadata(schema, KIND, provenance, stated)


class _Entry:
    """The outcomes of one model and distance, in the order of the trials of a table.

    Args:
        trials: T trials.
        outcomes: on all of the trials, or on some.

    Attributes:
        scored: (T,) which trials.
        log_likelihood: (T,) NaN where a trial was not scored; None where there is none.
    """

    def __init__(self, trials: Trials, outcomes: Outcomes) -> None:
        if outcomes.trials is not trials:
            place = {number: row for row, number in enumerate(trials.trial_id.tolist())}
            rows = np.array([place[number] for number in outcomes.trials.trial_id.tolist()], np.intp)
            outcomes = outcomes.take(np.argsort(rows))
            rows.sort()
        else:
            rows = np.arange(len(trials))
        self.scored = np.zeros(len(trials), bool)
        self.scored[rows] = True
        self._start = np.concatenate([[0], np.cumsum(np.where(self.scored, trials.implied, 0))])
        self._credit = _compact(outcomes.credit)
        self.log_likelihood: NDArray[np.float32] | None = None
        if outcomes.log_likelihood is not None:
            self.log_likelihood = np.full(len(trials), np.nan, np.float32)
            self.log_likelihood[rows] = outcomes.log_likelihood

    def credit(self, rows: slice) -> pa.ListArray:
        """The credit of some trials; null for those that were not scored."""
        start = self._start[rows.start : rows.stop + 1]
        values = self._credit[start[0] : start[-1]]
        values = values / np.float32(2) if values.dtype == np.uint8 else values
        scored = self.scored[rows]
        mask = None if scored.all() else pa.array(~scored)
        return pa.ListArray.from_arrays(pa.array((start - start[0]).astype(np.int32)), pa.array(values), mask=mask)


def _compact(credit: NDArray[np.float32]) -> NDArray[Any]:
    """Credit as whole halves where it is that, in a quarter of the memory."""
    with np.errstate(invalid="ignore"):
        halves = (2 * credit).astype(np.uint8)
    return halves if (halves == 2 * credit).all() else credit


@contextmanager
def outcomes_writer(path: Path, provenance: Provenance, trials: Trials) -> Iterator[OutcomesWriter]:
    """Write a table of outcomes on some trials; the file appears whole at the end, or not at all.

    Raises:
        OSError: the place cannot be written, or the disk is full.
    """
    with atomic_path(path) as temporary:
        writer = OutcomesWriter(trials)
        yield writer
        writer.save(temporary, provenance)

"""Writing tables of outcomes, in version 2 of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.tables.atomic import atomic_path
from simtool.tables.files import CREDIT, row_groups, write_groups
from simtool.tables.outcomes import Outcomes
from simtool.tables.outcomes_layout import KIND, CreditColumn
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, judgment_columns, stated_observers
from simtool.tables.trials_columns import REQUIRED

__all__ = ["write_outcomes"]

#: Values that are converted at once, so that they stay in the cache of the processor.
_BLOCK = 1 << 15


def write_outcomes(path: Path, trials: Trials, outcomes: Iterable[Outcomes], provenance: Provenance) -> None:
    """Write outcomes on all of the trials, or on some of them, as one table; it appears complete, or not at all.

    Raises:
        OSError: the place cannot be written, or the disk is full.
    """
    with atomic_path(path) as temporary:
        entries: dict[CreditColumn, _Entry] = {}
        for each in outcomes:
            entries[_column_of(each, [column.column for column in entries])] = _Entry(trials, each)
        images = pa.array(trials.images, pa.string())
        groups = (_arrays(trials, images, entries, rows) for rows in row_groups(len(trials)))
        stated = {**stated_observers(trials), "credit": [column.to_json() for column in entries]}
        write_groups(temporary, groups, {"trial_id", *REQUIRED}, KIND, provenance, stated)


def _column_of(outcomes: Outcomes, used: Iterable[str]) -> CreditColumn:
    """The column of credit of a model and distance, under a name that is not used."""
    taken = {name.casefold() for name in used}
    name = f"{CREDIT}{outcomes.model}, {outcomes.distance}".encode("utf-8", "replace").decode()
    names = (name if number == 1 else f"{name} ({number})" for number in count(1))
    column = next(name for name in names if name.casefold() not in taken)
    return CreditColumn(column, outcomes.model, outcomes.distance, outcomes.checks, outcomes.lineage)


def _arrays(
    trials: Trials, images: pa.StringArray, entries: Mapping[CreditColumn, _Entry], rows: slice
) -> dict[str, pa.Array]:
    """Some rows of all columns."""
    arrays = judgment_columns(trials.take(rows), images)
    for column, entry in entries.items():
        arrays[column.column] = entry.credit(rows)
        if entry.log_likelihood is not None:
            arrays[column.likelihood] = pa.array(entry.log_likelihood[rows], mask=~entry.scored[rows])
        if entry.probability is not None:
            arrays[column.probability] = entry.lists(entry.probability, rows)
    return arrays


class _Entry:
    """The outcomes of one model and distance on some of T trials, in the order of the trials of a table.

    Attributes:
        scored: (T,) which trials.
        log_likelihood: (T,) NaN where a trial was not scored; None where there is none.
        probability: of the comparisons of scored trials; None where there is none.
    """

    def __init__(self, trials: Trials, outcomes: Outcomes) -> None:
        if outcomes.trials is not trials:
            numbered = np.argsort(trials.trial_id, kind="stable")
            place = np.searchsorted(trials.trial_id, outcomes.trials.trial_id, sorter=numbered)
            rows = numbered[np.minimum(place, len(trials) - 1)]
            if not np.array_equal(trials.trial_id[rows], outcomes.trials.trial_id):
                raise ValueError("outcomes of trials that are not in the table")
            outcomes = outcomes.take(np.argsort(rows))
            rows.sort()
        else:
            rows = np.arange(len(trials))
        self.scored = np.zeros(len(trials), bool)
        self.scored[rows] = True
        self._start = np.concatenate([[0], np.cumsum(np.where(self.scored, trials.implied, 0))])
        self._credit = _compact(outcomes.credit)
        self.probability = outcomes.probability
        self.log_likelihood: NDArray[np.float32] | None = None
        if outcomes.log_likelihood is not None:
            self.log_likelihood = np.full(len(trials), np.nan, np.float32)
            self.log_likelihood[rows] = outcomes.log_likelihood

    def credit(self, rows: slice) -> pa.ListArray:
        """The credit of some trials; null for those that were not scored."""
        return self.lists(self._credit, rows)

    def lists(self, shares: NDArray[Any], rows: slice) -> pa.ListArray:
        """The values of the comparisons of some trials; null for those that were not scored."""
        start = self._start[rows.start : rows.stop + 1]
        values = shares[start[0] : start[-1]]
        values = values / np.float32(2) if values.dtype == np.uint8 else values
        scored = self.scored[rows]
        mask = None if scored.all() else pa.array(~scored)
        return pa.ListArray.from_arrays(pa.array((start - start[0]).astype(np.int32)), pa.array(values), mask=mask)


def _compact(credit: NDArray[np.float32]) -> NDArray[Any]:
    """Credit as whole halves where it is that, in a quarter of the memory."""
    halves = np.empty(credit.shape, np.uint8)
    for start in range(0, credit.size, _BLOCK):
        doubled = 2 * credit[start : start + _BLOCK]
        with np.errstate(invalid="ignore"):
            halves[start : start + _BLOCK] = doubled
        if not np.array_equal(halves[start : start + _BLOCK], doubled):
            return credit
    return halves

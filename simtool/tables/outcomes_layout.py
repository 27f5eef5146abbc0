"""The layout of a table of outcomes: where the judgments and the credit of each model and distance are.

Version 2 of the contract has a row for each trial, and a column of credit for each model and distance. Version 1, which
is still read, has a row for each trial, model and distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from simtool.errors import listed
from simtool.kinds import Expected
from simtool.tables.carried import VERSION_1, read_carried
from simtool.tables.files import CREDIT, LIKELIHOOD, lacking, metadata_of, open_parquet, part_files, read_columns
from simtool.tables.parquet import TableError
from simtool.tables.trials import OPTIONAL as TRIALS_OPTIONAL
from simtool.tables.trials import REQUIRED as TRIALS_REQUIRED

__all__ = ["KIND", "CreditColumn", "Slice", "slices"]

KIND = "outcomes"
_CREDIT_TYPE = pa.list_(pa.float32())
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class CreditColumn:
    """A column of credit.

    Attributes:
        column: its name, ``credit: MODEL, DISTANCE``; for a name that is taken, with a number behind it.
        model: the label of the embeddings.
        distance: the name of the distance.
    """

    column: str
    model: str
    distance: str

    @classmethod
    def stated(cls, part: Path, name: str, entry: Mapping[str, object]) -> CreditColumn:
        """The column as an entry of the metadata of its table states it; told by its name if the entry does not.

        Raises:
            TableError: the metadata state another model or distance than the name, or the name lacks one.
        """
        model, distance = entry.get("model"), entry.get("distance")
        if not isinstance(model, str) or not isinstance(distance, str):
            model, _, distance = name.removeprefix(CREDIT).rpartition(", ")
            if not model.strip() or not distance.strip():
                raise TableError(f"{part}: column {name!r} should be called {CREDIT}MODEL, DISTANCE")
        elif not name.startswith(f"{CREDIT}{model}, {distance}"):
            raise TableError(
                f"{part}: column {name!r} is of {model!r} with {distance!r} by the metadata: damaged; score again"
            )
        return cls(name, model, distance)

    @property
    def likelihood(self) -> str:
        """The name of the column of log-likelihoods that belongs to it."""
        return LIKELIHOOD + self.column.removeprefix(CREDIT)


@dataclass(frozen=True)
class Slice:
    """The outcomes of one model and distance as a table holds them: (T,) lists of credit, (T,) numbers or nulls.

    ``judgments`` are the columns of the T trials that were scored.
    """

    model: str
    distance: str
    judgments: pa.Table
    credit: pa.ListArray
    log_likelihood: pa.Array


def slices(path: Path) -> Iterator[Slice]:
    """The outcomes of each model and distance of a table. Slices of the same trials share ``judgments``.

    Raises:
        TableError: the table has neither layout, or has no rows.
    """
    columns: dict[str, CreditColumn] = {}
    older = []
    for part in part_files(path, Expected.OUTCOMES):
        file = open_parquet(part, Expected.OUTCOMES)
        own, names = _credit_columns(part, file.schema_arrow), file.schema_arrow.names
        if file.metadata.num_rows and not own and "credits" not in names:
            raise TableError(lacking(part, KIND, [f"{CREDIT}MODEL, DISTANCE"], names))
        columns |= own
        older += [part] if "credits" in names and not own else []
    if columns and older:
        raise TableError(f"{path}: {listed(older)} is of version 1 of outcomes and others are not; name each file")
    yield from _columns(path, list(columns.values())) if columns else _rows(path)


def _credit_columns(part: Path, schema: pa.Schema) -> dict[str, CreditColumn]:
    """The columns of credit that a file states in its metadata, and those that their names tell."""
    stated = metadata_of(schema).get("credit", [])
    entries = [entry for entry in stated if isinstance(entry, dict)] if isinstance(stated, list) else []
    known = {str(entry.get("column")): entry for entry in entries}
    names = (name for name in schema.names if name.startswith(CREDIT))
    return {name: CreditColumn.stated(part, name, known.get(name, {})) for name in names}


def _columns(path: Path, columns: list[CreditColumn]) -> Iterator[Slice]:
    """The slices of version 2. One column is read at a time."""
    judgments = read_columns(path, KIND, TRIALS_REQUIRED, TRIALS_OPTIONAL)
    if judgments.column("trial_id").null_count == len(judgments):
        place = judgments.column_names.index("trial_id")
        judgments = judgments.set_column(place, "trial_id", pa.array(np.arange(len(judgments))))
    judgments = _with_carried(path, judgments, [name for each in columns for name in (each.column, each.likelihood)])
    scored = False
    for each in columns:
        table = read_columns(path, KIND, {}, {each.column: _CREDIT_TYPE, each.likelihood: pa.float32()})
        credit, likelihood = (column.combine_chunks() for column in table.columns)
        scored |= credit.null_count < len(credit)
        if not credit.null_count:
            yield Slice(each.model, each.distance, judgments, credit, likelihood)
        elif rows := np.flatnonzero(credit.is_valid()).tolist():
            yield Slice(each.model, each.distance, judgments.take(rows), credit.take(rows), likelihood.take(rows))
    if not scored:
        raise TableError(f"{path}: no model has credit on any trial; all columns of credit are empty")


def _rows(path: Path) -> Iterator[Slice]:
    """The slices of version 1."""
    required = {"model": _DICTIONARY, "distance": _DICTIONARY, **TRIALS_REQUIRED, "credits": _CREDIT_TYPE}
    table = read_columns(path, KIND, required, {**TRIALS_OPTIONAL, "log_likelihood": pa.float32()})
    judgments = _with_carried(path, table.select([*TRIALS_REQUIRED, *TRIALS_OPTIONAL]), VERSION_1)
    models, distances = (table.column(name).combine_chunks() for name in ("model", "distance"))
    codes = models.indices.to_numpy().astype(np.int64) * len(table) + distances.indices.to_numpy()
    for first in np.sort(np.unique(codes, return_index=True)[1]).tolist():
        rows = np.flatnonzero(codes == codes[first])
        credit, likelihood = (table.column(name).take(rows).combine_chunks() for name in ("credits", "log_likelihood"))
        yield Slice(models[first].as_py(), distances[first].as_py(), judgments.take(rows), credit, likelihood)


def _with_carried(path: Path, judgments: pa.Table, others: Iterable[str]) -> pa.Table:
    """The columns of trials with the further columns of the table; refuses a table without rows."""
    if not judgments.num_rows:
        raise TableError(f"{path}: the table has no rows")
    carried = read_carried(path, {*judgments.column_names, *others})
    for name in carried.column_names:
        judgments = judgments.append_column(name, carried.column(name))
    return judgments

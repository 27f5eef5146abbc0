"""The layout of a table of outcomes: where the judgments and the credit of each model and distance are.

Version 2 of the contract has a row for each trial, and a column of credit for each model and distance. Version 1, which
is still read, has a row for each trial, model and distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.kinds import Expected
from simtool.tables.carried import VERSION_1, read_carried
from simtool.tables.checks import Check
from simtool.tables.columns import CODES
from simtool.tables.files import (
    CREDIT,
    LIKELIHOOD,
    PROBABILITY,
    lacking,
    metadata_of,
    open_parquet,
    part_files,
    read_batches,
)
from simtool.tables.lineage import Lineage
from simtool.tables.parquet import TableError
from simtool.tables.trials import Trials, trials_of
from simtool.tables.trials_columns import OPTIONAL, REQUIRED, TrialsColumns
from simtool.tables.vocabulary import Vocabulary

__all__ = ["KIND", "CreditColumn", "Slice", "slices"]

KIND = "outcomes"
_CREDIT_TYPE = pa.list_(pa.float32())


@dataclass(frozen=True)
class CreditColumn:
    """A column of credit.

    Attributes:
        column: its name, ``credit: MODEL, DISTANCE``; for a name that is taken, with a number behind it.
        model: the label of the embeddings.
        distance: the name of the distance.
        checks: of the model's choices, by trial type.
        lineage: what the model is; None if the table does not state it.
    """

    column: str
    model: str
    distance: str
    checks: tuple[Check, ...] = ()
    lineage: Lineage | None = None

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
        checks = entry.get("checks")
        found = [Check.stated(part, check) for check in checks] if isinstance(checks, list) else []
        return cls(name, model, distance, tuple(found), Lineage.stated(part, entry.get("lineage")))

    def to_json(self) -> dict[str, Any]:
        """The entry of the metadata."""
        more = {} if self.lineage is None else {"lineage": self.lineage.to_json()}
        return {name: value for name, value in asdict(self).items() if value not in ((), None)} | more

    @property
    def likelihood(self) -> str:
        """The name of the column of log-likelihoods that belongs to it."""
        return LIKELIHOOD + self.column.removeprefix(CREDIT)

    @property
    def probability(self) -> str:
        """The name of the column of probabilities that belongs to it."""
        return PROBABILITY + self.column.removeprefix(CREDIT)


@dataclass(frozen=True)
class Slice:
    """The outcomes of one model and distance as a table holds them.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trials: the T trials that were scored, not yet validated.
        credit: (C,) the credits of all trials; -1 for null.
        counts: (T,) the number of credits of each trial.
        log_likelihood: (T,) NaN for null; None if all are null.
        probability: (C,) as the table holds it; of another length if it has not one for each credit. None if there is
            none.
        checks: of the model's choices, by trial type.
        lineage: what the model is; None if the table does not state it.
    """

    model: str
    distance: str
    trials: Trials
    credit: NDArray[np.float32]
    counts: NDArray[np.int32]
    log_likelihood: NDArray[np.float32] | None
    probability: NDArray[np.float32] | None = None
    checks: tuple[Check, ...] = ()
    lineage: Lineage | None = None


def slices(path: Path) -> Iterator[Slice]:
    """The outcomes of each model and distance of a table. Slices of all trials of version 2 share them.

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
    judgments = TrialsColumns()
    for batch in read_batches(path, KIND, REQUIRED, OPTIONAL):
        judgments.add(batch)
    known = {
        *REQUIRED,
        *OPTIONAL,
        *(name for each in columns for name in (each.column, each.likelihood, each.probability)),
    }
    extra = read_carried(path, known)
    trials = trials_of(path, judgments, {name: extra.column(name) for name in extra.column_names})
    present = {name for part in part_files(path, Expected.OUTCOMES) for name in open_parquet(part).schema_arrow.names}
    nowhere = True
    for each in columns:
        credit = _Credit()
        wanted = {each.column: _CREDIT_TYPE, each.likelihood: pa.float32(), each.probability: _CREDIT_TYPE}
        if each.probability not in present:
            del wanted[each.probability]
        for batch in read_batches(path, KIND, {}, wanted):
            credit.add(*(batch.column(name) for name in wanted))
        scored = credit.scored()
        if scored.any():
            found = credit.slice(each.model, each.distance, trials if scored.all() else trials.take(scored))
            yield replace(found, checks=each.checks, lineage=each.lineage)
            nowhere = False
    if nowhere:
        raise TableError(f"{path}: no model has credit on any trial; all columns of credit are empty")


def _rows(path: Path) -> Iterator[Slice]:
    """The slices of version 1. One of them is read at a time: all of its rows are often in a few row groups."""
    pairs, pair = _pairs(path)
    extra = read_carried(path, {*REQUIRED, *OPTIONAL, *VERSION_1})
    for number, (model, distance) in enumerate(pairs):
        kept = pair == number
        judgments, credit = TrialsColumns(), _Credit()
        required, optional = {**REQUIRED, "credits": _CREDIT_TYPE}, {**OPTIONAL, "log_likelihood": pa.float32()}
        for batch in read_batches(path, KIND, required, optional, kept):
            judgments.add(batch)
            credit.add(batch.column("credits"), batch.column("log_likelihood"))
        rows = pa.array(kept)
        trials = trials_of(path, judgments, {name: extra.column(name).filter(rows) for name in extra.column_names})
        yield credit.slice(model, distance, trials)


def _pairs(path: Path) -> tuple[list[tuple[str, str]], NDArray[np.int32]]:
    """The models and distances of version 1, in the order of first appearance, and which of them each row has."""
    models, distances = Vocabulary(), Vocabulary()
    found: dict[tuple[int, int], int] = {}
    pieces = [np.empty(0, np.int32)]
    for batch in read_batches(path, KIND, {"model": CODES, "distance": CODES}, {}):
        codes = np.stack([models.encode(batch.column("model")), distances.encode(batch.column("distance"))])
        distinct, first, place = np.unique(codes, axis=1, return_index=True, return_inverse=True)
        for at in np.argsort(first):
            found.setdefault((int(distinct[0, at]), int(distinct[1, at])), len(found))
        numbers = [found[int(model), int(distance)] for model, distance in distinct.T]
        pieces.append(np.array(numbers, np.int32)[place.ravel()])
    names = [(models.names[model].as_py(), distances.names[distance].as_py()) for model, distance in found]
    return names, np.concatenate(pieces)


class _Credit:
    """Collects the credit, the log-likelihoods and the probabilities of one model and distance from batches."""

    def __init__(self) -> None:
        self._values = [np.empty(0, np.float32)]
        self._counts = [np.empty(0, np.int32)]
        self._nats = [np.empty(0, np.float32)]
        self._has_nats = False
        self._chances = [np.empty(0, np.float32)]

    def add(self, credit: pa.ListArray, nats: pa.FloatArray, chances: pa.ListArray | None = None) -> None:
        """Add credit, log-likelihoods and probabilities of some trials; null for those that were not scored."""
        if chances is not None:
            self._chances.append(pc.fill_null(chances.flatten(), -1).to_numpy())
        self._values.append(pc.fill_null(credit.flatten(), -1).to_numpy())
        self._counts.append(pc.fill_null(pc.list_value_length(credit), -1).to_numpy())
        self._nats.append(nats.to_numpy(zero_copy_only=False))
        self._has_nats |= nats.null_count < len(nats)

    def scored(self) -> NDArray[np.bool_]:
        """Which trials were scored."""
        return np.concatenate(self._counts) >= 0

    def slice(self, model: str, distance: str, trials: Trials) -> Slice:
        """The outcomes of the trials that were scored."""
        scored = self.scored()
        counts, nats = np.concatenate(self._counts)[scored], np.concatenate(self._nats)[scored]
        chances = np.concatenate(self._chances)
        return Slice(
            model,
            distance,
            trials,
            np.concatenate(self._values),
            counts,
            nats if self._has_nats else None,
            chances if chances.size else None,
        )

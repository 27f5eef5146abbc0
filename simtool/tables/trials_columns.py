"""The columns of trials in tables of trials and outcomes, read in batches."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.designs import DesignError, TrialType, parse_type
from simtool.tables.columns import CODES, padded
from simtool.tables.labels import Labels
from simtool.tables.parquet import TableError
from simtool.tables.vocabulary import Vocabulary, places_in
from simtool.text import counted

__all__ = ["OPTIONAL", "REQUIRED", "TrialsColumns", "types_of"]

REQUIRED = {"trial_type": CODES, "references": pa.list_(CODES), "selected": pa.list_(pa.int8())}
OPTIONAL = {
    "trial_id": pa.int64(),
    "query": CODES,
    "participant": CODES,
    "session": CODES,
    "weight": pa.float32(),
    "response_ms": pa.float32(),
}
_TEXTS, _NUMBERS = ("trial_type", "query", "participant", "session"), ("weight", "response_ms")


class TrialsColumns:
    """Collects the columns of trials from batches; texts become codes."""

    def __init__(self) -> None:
        self._pieces: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
        self._names: defaultdict[str, Vocabulary] = defaultdict(Vocabulary)
        self._missing: defaultdict[str, int] = defaultdict(int)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add some trials, in the types of :data:`REQUIRED` and :data:`OPTIONAL`."""
        for name in _TEXTS:
            self._pieces[name].append(self._names[name].encode(batch.column(name)))
        for name in ("references", "selected"):
            lists = batch.column(name)
            values = lists.flatten()
            cells = self._names[name].encode(values) if name == "references" else values.fill_null(-1).to_numpy()
            self._missing[name] += values.null_count
            self._pieces[name].append(padded(lists, cells))
        for name in _NUMBERS:
            self._pieces[name].append(batch.column(name).to_numpy(zero_copy_only=False).astype(np.float32, copy=False))
        trial_id = batch.column("trial_id")
        self._missing["trial_id"] += trial_id.null_count
        self._pieces["trial_id"].append(trial_id.fill_null(0).to_numpy())

    def __len__(self) -> int:
        return sum(map(len, self._pieces["query"]))

    def arrays(self) -> dict[str, Any]:
        """The arrays of :class:`simtool.tables.trials.Trials`, by name. The memory of the batches is released.

        Images are in the order of first appearance, queries before references. Without numbers, trials count from 0.

        Raises:
            TableError: a type of trials is unknown, some trials have no number, or a list holds a missing value.
        """
        for name in ("references", "selected"):
            if self._missing[name]:
                raise TableError(f"column {name} has {counted(self._missing[name], 'missing values')} inside its lists")
        trial_id = self._joined("trial_id")
        if 0 < self._missing["trial_id"] < trial_id.size:
            raise TableError(f"column trial_id has {counted(self._missing['trial_id'], 'missing values')}")
        images, code = self._images()
        return {
            "images": images.to_numpy(zero_copy_only=False),
            "query": self._joined("query"),
            "references": _stacked(self._pieces.pop("references"), code),
            "selected": _stacked(self._pieces.pop("selected")),
            "trial_id": np.arange(trial_id.size) if self._missing["trial_id"] else trial_id,
            "types": types_of(self._names["trial_type"].names),
            "type_index": self._joined("trial_type").astype(np.int16),
            **{name: Labels(self._names[name].names, self._joined(name)) for name in ("participant", "session")},
            **{name: self._joined(name) for name in _NUMBERS},
        }

    def _joined(self, name: str) -> NDArray[Any]:
        return np.concatenate(self._pieces.pop(name))

    def _images(self) -> tuple[pa.StringArray, NDArray[np.int32]]:
        """The ids of all images, and the position in them of each reference; the last entry is for padding, -1."""
        queries, references = self._names["query"].names, self._names["references"].names
        code = np.append(places_in(queries, references), np.int32(-1))
        others = np.flatnonzero(code[:-1] < 0)
        code[others] = len(queries) + np.arange(others.size)
        return pa.concat_arrays([queries, references.take(pa.array(others))]), code


def types_of(names: pa.StringArray) -> tuple[TrialType, ...]:
    """The types of trials with some names.

    Raises:
        TableError: a type is unknown.
    """
    try:
        return tuple(parse_type(name) for name in names.to_pylist())
    except DesignError as failure:
        raise TableError(str(failure)) from failure


def _stacked(pieces: list[NDArray[Any]], code: NDArray[Any] | None = None) -> NDArray[Any]:
    """Matrices, or the codes of their values, one below the other, with -1 after the end of shorter rows."""
    width, kind = max(piece.shape[1] for piece in pieces), (pieces[0] if code is None else code).dtype
    stacked: NDArray[Any] = np.empty((sum(map(len, pieces)), width), kind)
    start = 0
    for piece in pieces:
        rows = stacked[start : start + len(piece)]
        rows[:, : piece.shape[1]] = piece if code is None else code.take(piece, mode="wrap")
        rows[:, piece.shape[1] :] = -1
        start += len(piece)
    return stacked

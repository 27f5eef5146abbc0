"""Columns of text in which few texts occur often: participants, sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Labels"]


@dataclass(frozen=True, eq=False)
class Labels:
    """T texts or nulls, as positions in a list of distinct texts.

    Attributes:
        names: (n,) Arrow array of the distinct texts; some can have no entry: see :meth:`used`.
        code: (T,) positions in ``names``; -1 for null.
    """

    names: pa.StringArray
    code: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Labels | Iterable[str | None]) -> Labels:
        """Encode texts; names are in the order of first appearance."""
        return texts if isinstance(texts, Labels) else cls.from_arrow(pa.array(texts, pa.string()))

    @classmethod
    def nulls(cls, count: int) -> Labels:
        """A column of nulls."""
        return cls(pa.array([], pa.string()), np.full(count, -1, np.int32))

    @classmethod
    def from_arrow(cls, column: pa.Array | pa.ChunkedArray) -> Labels:
        """Encode an Arrow column of plain text; names are in the order of first appearance."""
        chunks = pa.chunked_array(column).dictionary_encode().unify_dictionaries().chunks
        if not chunks:
            return cls.nulls(0)
        codes = [pc.fill_null(chunk.indices, -1).to_numpy() for chunk in chunks]
        return cls(chunks[0].dictionary, np.concatenate(codes))

    @classmethod
    def concatenated(cls, columns: Sequence[Labels]) -> Labels:
        """Columns one after the other; equal texts get one code."""
        names = pa.chunked_array([column.names for column in columns], pa.string()).combine_chunks().dictionary_encode()
        place = np.append(names.indices.to_numpy(), np.int32(-1))
        firsts = np.cumsum([0, *(len(column.names) for column in columns)])
        codes = [
            place[np.where(column.code < 0, -1, column.code + first)]
            for column, first in zip(columns, firsts.tolist(), strict=False)
        ]
        return cls(names.dictionary, np.concatenate(codes))

    def __len__(self) -> int:
        return len(self.code)

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> str | None: ...
    @overload
    def __getitem__(self, rows: slice | NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Labels: ...
    def __getitem__(
        self, rows: int | np.integer[Any] | slice | NDArray[np.integer[Any]] | NDArray[np.bool_]
    ) -> str | Labels | None:
        code = self.code[rows]
        if isinstance(code, np.ndarray):
            return Labels(self.names, code)
        return None if code < 0 else str(self.names[int(code)])

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.tolist())

    def tolist(self) -> list[str | None]:
        """The text of each entry; None for null."""
        texts: list[str | None] = self.to_arrow().to_pylist()
        return texts

    def used(self) -> Labels:
        """The same texts without the names that no entry has."""
        present = np.zeros(len(self.names) + 1, bool)
        present[self.code] = True
        if present[:-1].all():
            return self
        place = np.full(len(present), -1, np.int32)
        kept = np.flatnonzero(present[:-1])
        place[kept] = np.arange(kept.size)
        return Labels(self.names.take(pa.array(kept)), place[self.code])

    def to_arrow(self) -> pa.DictionaryArray:
        """The column as a dictionary array."""
        return pa.DictionaryArray.from_arrays(pa.array(self.code, mask=self.code < 0), self.names)

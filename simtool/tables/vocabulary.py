"""Distinct texts of columns that are read in batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Vocabulary", "places_in"]

#: Codes of texts in a dictionary: null, and not yet in the vocabulary.
_NULL, _UNSEEN = -1, -2


class Vocabulary:
    """The distinct texts of a column in the order of first appearance.

    Attributes:
        names: Arrow array of the texts.
    """

    def __init__(self) -> None:
        self.names = pa.array([], pa.string())
        self._dictionary = self.names
        self._code = np.array([_NULL], np.int32)

    def encode(self, column: pa.DictionaryArray) -> NDArray[np.int32]:
        """The positions of texts in ``names``; -1 for null. New texts are added.

        Args:
            column: (rows,) its dictionary can be in any order, and have unused texts, repeated texts and nulls.
        """
        if not column.dictionary.equals(self._dictionary):
            self._dictionary = column.dictionary
            known = places_in(self.names, self._dictionary)
            known[known < 0] = _UNSEEN
            known[np.flatnonzero(self._dictionary.is_null())] = _NULL
            self._code = np.append(known, np.int32(_NULL))  # the last entry is for null
        entry = pc.fill_null(column.indices, len(self._dictionary)).to_numpy()
        code: NDArray[np.int32] = self._code.take(entry, mode="clip")
        if (self._code == _UNSEEN).any() and (unseen := entry[code == _UNSEEN]).size:
            fresh = _in_order(unseen, len(self._dictionary))
            self._code[fresh] = self._add(self._dictionary.take(pa.array(fresh)))
            code = self._code.take(entry, mode="clip")
        return code

    def _add(self, texts: pa.StringArray) -> NDArray[np.int32]:
        """Add those of some texts that are not yet known; return the positions of all."""
        code = places_in(self.names, texts)
        missing = np.flatnonzero(code < 0)
        encoded = texts.take(pa.array(missing)).dictionary_encode()
        code[missing] = len(self.names) + encoded.indices.to_numpy()
        self.names = pa.concat_arrays([self.names, encoded.dictionary])
        return code


def places_in(names: pa.StringArray, texts: pa.StringArray) -> NDArray[np.int32]:
    """The positions of texts in a list of distinct names; -1 for others."""
    places: NDArray[np.int32] = pc.fill_null(pc.index_in(texts, value_set=names), -1).to_numpy()
    return places.copy()


def _in_order(entries: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """The distinct entries, all less than ``count``, in the order of first appearance."""
    first = np.full(count, entries.size)
    first[entries[::-1]] = np.arange(entries.size)[::-1]  # of repeated indices, the last assignment counts
    distinct = np.flatnonzero(first < entries.size)
    return distinct[np.argsort(first[distinct])]

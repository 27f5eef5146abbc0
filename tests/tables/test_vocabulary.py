"""Texts of batches as codes of one list."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from simtool.tables.vocabulary import Vocabulary, places_in

NAMES = ["a", "b", "", "Zoë", "😀", "b2"]


@st.composite
def batches(draw: st.DrawFn) -> list[pa.DictionaryArray]:
    """Columns whose dictionaries have any order, unused texts, repeated texts and nulls."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        dictionary = draw(st.lists(st.none() | st.sampled_from(NAMES), min_size=1, max_size=8))
        places = st.none() | st.integers(0, len(dictionary) - 1)
        codes = pa.array(draw(st.lists(places, max_size=12)), draw(st.sampled_from([pa.int8(), pa.int32()])))
        found += [pa.DictionaryArray.from_arrays(codes, pa.array(dictionary, pa.string()))] * draw(st.integers(1, 2))
    return found


@given(batches())
def test_codes_are_of_names_in_the_order_of_first_appearance(columns: list[pa.DictionaryArray]) -> None:
    vocabulary = Vocabulary()
    codes = np.concatenate([vocabulary.encode(column) for column in columns])
    texts = [text for column in columns for text in column.to_pylist()]
    assert vocabulary.names.to_pylist() == list(dict.fromkeys(text for text in texts if text is not None))
    assert [None if code < 0 else vocabulary.names[int(code)].as_py() for code in codes] == texts
    assert codes.dtype == np.int32


def test_places_of_names() -> None:
    assert places_in(pa.array(["x", "y"]), pa.array(["y", "z", "x", "y"])).tolist() == [1, -1, 0, 1]

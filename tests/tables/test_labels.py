"""Columns of text as codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.tables.labels import Labels

TEXTS = st.lists(st.none() | st.sampled_from(["", "ann", "bob", "Zoë", "😀"]))


@given(TEXTS)
def test_texts_stay_and_names_are_distinct_in_the_order_of_first_appearance(texts: list[str | None]) -> None:
    labels = Labels.of(texts)
    assert labels.tolist() == list(labels) == [labels[row] for row in range(len(texts))] == texts
    assert labels.names.to_pylist() == list(dict.fromkeys(text for text in texts if text is not None))
    assert labels.code.dtype == np.int32


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_columns_one_after_the_other_are_one_column(columns: list[list[str | None]]) -> None:
    joined = Labels.concatenated([Labels.of(column) for column in columns])
    whole = Labels.of([text for column in columns for text in column])
    assert joined.tolist() == whole.tolist()
    assert joined.names.equals(whole.names)


@given(TEXTS, st.data())
def test_rows_are_taken_by_positions_mask_and_slice(texts: list[str | None], data: st.DataObject) -> None:
    labels, plain = Labels.of(texts), np.array([*texts, ""], object)[:-1]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))), bool)
    for rows in (mask, np.flatnonzero(mask)[::-1], slice(1, None, 2)):
        taken = labels[rows]
        assert taken.tolist() == plain[rows].tolist()
        assert taken.used().tolist() == taken.tolist()
        assert set(taken.used().names.to_pylist()) == set(taken.tolist()) - {None}


@given(st.lists(TEXTS, max_size=3))
def test_an_arrow_column_keeps_its_texts_in_any_number_of_chunks(chunks: list[list[str | None]]) -> None:
    column = pa.chunked_array(chunks, pa.string())
    labels = Labels.from_arrow(column)
    assert labels.tolist() == column.to_pylist()
    assert Labels.from_arrow(labels.to_arrow().cast(pa.string())).tolist() == column.to_pylist()
    assert pa.types.is_dictionary(labels.to_arrow().type)


def test_nulls_and_no_rows() -> None:
    assert Labels.nulls(3).tolist() == [None] * 3
    assert Labels.nulls(3).used().names.to_pylist() == []
    assert len(Labels.of([])) == len(Labels.nulls(0)) == 0


def test_labels_of_labels_are_the_same() -> None:
    labels = Labels.of(["a"])
    assert Labels.of(labels) is labels
    with pytest.raises(IndexError):
        labels[1]

"""Columns that simtool keeps unchanged, of several tables."""

from __future__ import annotations

import pyarrow as pa

from simtool.tables.carried import joined


def test_a_table_that_lacks_a_column_has_nulls_in_it() -> None:
    found = joined([({"age": pa.array([3, 4])}, 2), ({"split": pa.array(["a"])}, 1)])
    assert {name: column.to_pylist() for name, column in found.items()} == {
        "age": [3, 4, None],
        "split": [None, None, "a"],
    }


def test_dictionaries_and_plain_text_join_also_in_lists() -> None:
    words, lists = pa.array(["a", None]), pa.array([["a"], None])
    codes = words.dictionary_encode()
    coded = pa.ListArray.from_arrays(pa.array([0, 1, 2]), codes)
    found = joined([({"word": words, "words": lists}, 2), ({"word": codes, "words": coded}, 2)])
    assert found["word"].to_pylist() == ["a", None, "a", None]
    assert found["words"].to_pylist() == [["a"], None, ["a"], [None]]


def test_numbers_join_in_the_wider_type() -> None:
    found = joined([({"age": pa.array([3])}, 1), ({"age": pa.array([4.5])}, 1)])
    assert found["age"].to_pylist() == [3.0, 4.5]


def test_types_that_do_not_fit_together_become_text_or_are_left_out() -> None:
    found = joined(
        [({"age": pa.array([3]), "x": pa.array([[1]])}, 1), ({"age": pa.array(["old"]), "x": pa.array(["1"])}, 1)]
    )
    assert {name: column.to_pylist() for name, column in found.items()} == {"age": ["3", "old"]}

"""Columns of any faithful spelling as the types of the contract."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.tables.columns import as_type
from simtool.tables.images import Images, read_images, write_images
from simtool.tables.parquet import TableError
from simtool.tables.provenance import Provenance
from simtool.tables.trials import read_trials

VIEWS = pa.array(["a", None, "é"], pa.string_view())
TEXTS = pa.list_(pa.string())
CODES = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("found", "wanted", "values"),
    [
        (VIEWS, pa.string(), ["a", None, "é"]),
        (VIEWS, CODES, ["a", None, "é"]),
        (VIEWS.cast(pa.large_string()), CODES, ["a", None, "é"]),
        (VIEWS.cast(pa.binary_view()), pa.string(), ["a", None, "é"]),
        (VIEWS.cast(pa.string()).cast(pa.binary()), pa.string(), ["a", None, "é"]),
        (pa.DictionaryArray.from_arrays(pa.array([2, 0, None]), VIEWS), pa.string(), ["é", "a", None]),
        (pa.DictionaryArray.from_arrays(pa.array([2, 1]), VIEWS), CODES, ["é", None]),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([7, 8])), pa.string(), ["7", "8"]),
        (pa.array([1, None], pa.uint64()), pa.string(), ["1", None]),
        (pa.array([1.0, np.nan, None]), pa.string(), ["1", None, None]),
        (pa.array([1, 2], pa.decimal128(20, 0)), pa.string(), ["1", "2"]),
        (pa.array([Decimal("0.29"), None], pa.decimal128(10, 2)), pa.float64(), [0.29, None]),
        (pa.array([Decimal("85.000")], pa.decimal256(50, 3)), pa.float32(), [85.0]),
        (pa.array([1], pa.date32()), pa.string(), ["1970-01-02"]),
        (pa.array([UUID(int=1).bytes], pa.uuid()), pa.string(), [str(UUID(int=1))]),
        (pa.array([1.0, np.nan, None]), pa.int16(), [1, None, None]),
        (pa.array(["7"], pa.large_string()), pa.int16(), [7]),
        (pa.array([["a", "b"], None, []], pa.list_view(pa.string_view())), TEXTS, [["a", "b"], None, []]),
        (pa.array([["x"], ["a", "b"]], pa.large_list_view(pa.string())).slice(1), TEXTS, [["a", "b"]]),
        (pa.array([[0, 1], [2, 3]], pa.list_(pa.int64(), 2)).slice(1), TEXTS, [["2", "3"]]),
        (pa.array([["a"], ["b"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), TEXTS, [["a"], ["b"]]),
        (pa.array([[0.0, 2.0]]), pa.list_(pa.int8()), [[0, 2]]),
        (pa.array([["0", "2"]]), pa.list_(pa.int8()), [[0, 2]]),
        (pa.nulls(1), TEXTS, [None]),
        (pa.array([[None]]), pa.list_(pa.float32()), [[None]]),
    ],
    ids=str,
)
def test_any_faithful_spelling_has_the_contracts_type(
    found: pa.Array, wanted: pa.DataType, values: list[object]
) -> None:
    column = as_type(Path("t"), "c", pa.chunked_array([found, found]), wanted)
    assert column.type == wanted
    assert column.to_pylist() == values * 2


@pytest.mark.parametrize(
    ("found", "wanted", "complaint"),
    [
        (pa.array([1.5]), pa.string(), "must be string, but is double: Float value 1.5"),
        (pa.array([b"\xff"]), pa.string(), "must be string, but is binary: Invalid UTF8"),
        (pa.array([True]), pa.string(), "must be string, but is bool: it has no text"),
        (pa.array([{"a": 1}]), pa.string(), "must be string, but is struct<a: int64>: it has no text"),
        (pa.array([1], pa.timestamp("us")), pa.int64(), "is timestamp[us]: it has dates or times, not numbers"),
        (pa.array([[True, False]]), pa.list_(pa.int8()), "is list<item: bool>: it has booleans, not numbers"),
        (pa.array(["a"]), TEXTS, "must be list<item: string>, but is string: it has no lists"),
        (pa.array([[300]]), pa.list_(pa.int8()), "Integer value 300 not in range"),
        (pa.array([[0.5]]), pa.list_(pa.int8()), "Float value 0.5"),
        (pa.array(["x"]), pa.int16(), "must be int16, but is string: Failed to parse string: 'x'"),
        (pa.array([7], pa.date32()), pa.int32(), "must be int32, but is date32[day]: it has dates or times"),
        (pa.array([7], pa.duration("s")), pa.float32(), "but is duration[s]: it has dates or times, not numbers"),
        (pa.array([2**40]), pa.int32(), "must be int32, but is int64: Integer value 1099511627776 not in range"),
    ],
    ids=str,
)
def test_another_content_is_refused_in_a_line(found: pa.Array, wanted: pa.DataType, complaint: str) -> None:
    with pytest.raises(TableError) as failure:
        as_type(Path("t"), "c", pa.chunked_array([found]), wanted)
    assert str(failure.value).startswith("t: column c ")
    assert complaint in str(failure.value)
    assert "\n" not in str(failure.value)


NOT_UTF8 = pa.array([b"\xff", b"b"]).view(pa.string())


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_that_is_not_utf_8_is_refused(kind: pa.DataType) -> None:
    column = NOT_UTF8.dictionary_encode() if pa.types.is_dictionary(kind) else NOT_UTF8.cast(kind)
    for wanted in (pa.string(), CODES):
        with pytest.raises(TableError, match=r"t: column c.*: Invalid UTF8"):
            as_type(Path("t"), "c", pa.chunked_array([column]), wanted)


def test_a_table_with_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    trial = {"trial_type": ["2-choose-1"], "query": ["q"], "references": [["a", "b"]], "selected": [[0]]}
    pq.write_table(pa.table({**trial, "condition": NOT_UTF8[:1]}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet: .*Invalid UTF8"):
        read_trials(tmp_path / "t.parquet")
    names = pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), NOT_UTF8)
    pq.write_table(pa.table({**trial, "references": names}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet: column references: Invalid UTF8"):
        read_trials(tmp_path / "t.parquet")


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    table = pa.table([["a"], ["b"], ["c"], [1], [2]], names=["image_id", "path", "path", "extra", "extra"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet: the file has column path more than once; keep one of them"):
        read_images(tmp_path / "t.parquet")
    pq.write_table(table.select([0, 1, 3, 4]), tmp_path / "t.parquet")
    assert len(read_images(tmp_path / "t.parquet")) == 1


@pytest.mark.parametrize(("largest", "kind"), [(32_767, pa.int16()), (32_768, pa.int32()), (2**31 - 1, pa.int32())])
def test_class_ids_beyond_the_contracts_type_are_kept(
    tmp_path: Path, provenance: Provenance, largest: int, kind: pa.DataType
) -> None:
    write_images(tmp_path / "i.parquet", Images.build(["a", "b"], ["a", "b"], class_id=[largest, -1]), provenance)
    assert pq.read_schema(tmp_path / "i.parquet").field("class_id").type == kind
    assert read_images(tmp_path / "i.parquet").class_id.tolist() == [largest, -1]


def test_a_column_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"image_id": ["a"], "path": ["a"], "zzzz": [1]}), tmp_path / "t.parquet", store_schema=False
    )
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content.replace(b"zzzz", b"\xff\xff\xff\xff"))
    with pytest.raises(TableError, match=r"t\.parquet") as failure:
        read_images(tmp_path / "t.parquet")
    assert "\n" not in str(failure.value)

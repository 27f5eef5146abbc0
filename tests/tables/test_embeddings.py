from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tables.embeddings import (
    EmbeddingCollector,
    EmbeddingInfo,
    EmbeddingTable,
    EmbeddingWriter,
    Segment,
    open_embeddings,
    write_embeddings,
)
from simtool.tables.files import TableError, part_name, require_set_of
from simtool.tables.provenance import Provenance

IDS = ["a", "b", "c"]
VECTORS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def write(path: Path, values: pa.Array, ids: list[object] | None = None) -> Path:
    pq.write_table(pa.table({"image_id": ids or IDS[: len(values)], "embedding": values}), path)
    return path


def test_round_trip_keeps_values_and_metadata(tmp_path: Path, provenance: Provenance) -> None:
    segments = (Segment("coarse", 1), Segment("fine", 1))
    write_embeddings(tmp_path / "e.parquet", IDS, VECTORS, provenance, "my model", segments=segments, shape=(2, 1))
    table = open_embeddings(tmp_path / "e.parquet")
    np.testing.assert_array_equal(table.read(), VECTORS)
    assert list(table.image_id) == IDS
    assert table.info == EmbeddingInfo("my model", 2, (2, 1), segments)
    assert table.provenance == provenance


def test_a_colon_in_a_relative_name_makes_no_address_of_it(
    tmp_path: Path, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_embeddings(Path("posterior:noise.parquet"), IDS, VECTORS, provenance, "my model")
    np.testing.assert_array_equal(open_embeddings(Path("posterior:noise.parquet")).read(), VECTORS)


def test_the_schema_is_the_contracts(tmp_path: Path, provenance: Provenance) -> None:
    write_embeddings(tmp_path / "e.parquet", IDS, VECTORS, provenance, "my model")
    schema = pq.read_schema(tmp_path / "e.parquet")
    assert str(schema.field("embedding").type) == "fixed_size_list<element: float not null>[2]"
    metadata = json.loads(schema.metadata[b"simtool"])
    assert metadata["table"] == "embeddings"
    assert (metadata["name"], metadata["dimension"], metadata["shape"]) == ("my model", 2, [2])
    column = pq.ParquetFile(tmp_path / "e.parquet").metadata.row_group(0).column(1)
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert column.compression == "ZSTD"


def pandas_table(path: Path) -> None:
    pd.DataFrame({"image_id": IDS, "embedding": list(VECTORS)}).to_parquet(path)


def pandas_lists(path: Path) -> None:
    pd.DataFrame({"image_id": IDS, "embedding": VECTORS.astype(float).tolist()}).to_parquet(path)


def polars_array(path: Path) -> None:
    pl.DataFrame({"image_id": IDS, "embedding": VECTORS}).write_parquet(path)


def polars_list(path: Path) -> None:
    frame = pl.DataFrame(
        {"image_id": IDS, "embedding": VECTORS.tolist()}, schema_overrides={"embedding": pl.List(pl.Float64)}
    )
    frame.write_parquet(path)


def duckdb_list(path: Path) -> None:
    values = ", ".join(f"('{name}', [{x}, {y}]::FLOAT[])" for name, (x, y) in zip(IDS, VECTORS, strict=True))
    duckdb.sql(f"COPY (SELECT * FROM (VALUES {values}) t(image_id, embedding)) TO '{path}' (FORMAT parquet)")  # noqa: S608


def duckdb_array(path: Path) -> None:
    values = ", ".join(f"('{name}', [{x}, {y}]::FLOAT[2])" for name, (x, y) in zip(IDS, VECTORS, strict=True))
    duckdb.sql(f"COPY (SELECT * FROM (VALUES {values}) t(image_id, embedding)) TO '{path}' (FORMAT parquet)")  # noqa: S608


def half_precision(path: Path) -> None:
    write(path, pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.astype(np.float16).ravel()), 2))


def integers(path: Path) -> None:
    write(path, pa.array(VECTORS.astype(int).tolist()))


def tensors(path: Path) -> None:
    write(path, pa.FixedShapeTensorArray.from_numpy_ndarray(VECTORS))


@pytest.mark.parametrize(
    "writer",
    [
        pandas_table,
        pandas_lists,
        polars_array,
        polars_list,
        duckdb_list,
        duckdb_array,
        half_precision,
        integers,
        tensors,
    ],
)
def test_any_faithful_spelling_is_read(tmp_path: Path, writer: object) -> None:
    assert callable(writer)
    writer(tmp_path / "theirs.parquet")
    table = open_embeddings(tmp_path / "theirs.parquet")
    assert table.info.name == "theirs"
    assert table.info.dimension == 2
    assert list(table.image_id) == IDS
    values = table.read()
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, VECTORS)


def test_double_precision_is_not_rounded_when_asked_for(tmp_path: Path) -> None:
    values = np.array([[0.1, 0.2]])
    write(tmp_path / "e.parquet", pa.array(values.tolist()))
    table = open_embeddings(tmp_path / "e.parquet")
    assert table.dtype == np.float64
    np.testing.assert_array_equal(table.read(dtype=np.float64), values)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.integers(0, 199), max_size=60),
    group=st.integers(1, 90),
)
def test_rows_are_read_in_the_order_asked_for(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], group: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "e.parquet"
    values = np.arange(600, dtype=np.float32).reshape(200, 3)
    table = pa.table({"image_id": [f"i{row}" for row in range(200)], "embedding": pa.array(values.tolist())})
    pq.write_table(table, path, row_group_size=group)
    opened = open_embeddings(path)
    np.testing.assert_array_equal(opened.read(np.array(rows, int)), values[rows])
    np.testing.assert_array_equal(opened.rows_of([f"i{row}" for row in rows]), rows)
    streamed = np.full_like(values, -1)
    for place, block in opened.batches():
        streamed[place] = block
    np.testing.assert_array_equal(streamed, values)


def test_missing_images_are_counted_and_named(tmp_path: Path) -> None:
    pandas_table(tmp_path / "e.parquet")
    with pytest.raises(TableError, match=r"lacks images that are needed \(4 of 5\): v, w, x and 1 more; its ids are "):
        open_embeddings(tmp_path / "e.parquet").rows_of(["a", "v", "w", "x", "y"])


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([[1.0, 2.0], [np.nan, 4.0], [np.inf, 6.0]], r"NaN or infinity in 2 vectors: row 1 \(b\), row 2 \(c\)"),
        (
            [[1.0, 2.0], [3.0], [5.0, 6.0, 7.0]],
            r"must have 2 values; 2 vectors differ: row 1 \(b\): 1 value, row 2 \(c\): 3 values",
        ),
        ([[1.0, 2.0], [3.0, None], [5.0, 6.0]], r"missing values in 1 vector: row 1 \(b\)"),
        ([[1.0, 2.0], None, [5.0, 6.0]], r"must have 2 values; 1 vector differs: row 1 \(b\): missing"),
        ([None, [3.0, 4.0], [5.0, 6.0]], r"must have 2 values; 1 vector differs: row 0 \(a\): missing"),
        ([[], [3.0, 4.0], [5.0, 6.0]], r"must have 2 values; 1 vector differs: row 0 \(a\): no values"),
        ([[1.0], [3.0, 4.0], [5.0, 6.0]], r"must have 2 values; 1 vector differs: row 0 \(a\): 1 value"),
        ([[None, 1.0], [3.0, 4.0], [5.0, 6.0]], r"missing values in 1 vector: row 0 \(a\)"),
        (
            [[[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]],
            r"row 0 \(a\): rows of unequal length",
        ),
        (
            [[[1.0, 2.0]], [[1.0], [2.0]], [[3.0, 4.0]]],
            r"must have 1 x 2 values; 1 vector differs: row 1 \(b\): 2 x 1 values",
        ),
        ([[[1.0, 2.0]], [None], None], r"row 1 \(b\): rows of unequal length, row 2 \(c\): missing"),
        ([None, None, None], "the vectors have no values"),
        ([[[1.0, 2.0], [3.0]]] * 3, "the vectors have rows of unequal length"),
        (pa.array([[], [], []], pa.list_(pa.float32())), "the vectors have no values"),
        ([1.0, 2.0, 3.0], "column embedding must have lists of numbers, but is double"),
        ([[{"y": 1.0}]] * 3, "column embedding must have lists of numbers, but is list<"),
        ([["x"], ["y"], ["z"]], "column embedding must have lists of numbers, but is list"),
    ],
)
def test_faulty_vectors_are_refused_and_named(tmp_path: Path, values: object, complaint: str) -> None:
    write(tmp_path / "e.parquet", pa.array(values))
    with pytest.raises(TableError, match=complaint):
        open_embeddings(tmp_path / "e.parquet").read()


@pytest.mark.parametrize("scale", [1e170, 1e-300])
def test_vectors_that_do_not_fit_single_precision_are_refused_in_it(tmp_path: Path, scale: float) -> None:
    write(tmp_path / "e.parquet", pa.array([[1.0 * scale, 2.0 * scale], [0.0, 0.0], [scale, scale]]))
    table = open_embeddings(tmp_path / "e.parquet")
    assert table.read(dtype=np.float64)[0].tolist() == [1.0 * scale, 2.0 * scale]
    with pytest.raises(TableError, match=r"do not fit 32 bits: multiply all of them by one number"):
        table.read()
    with pytest.raises(TableError, match=r"do not fit 32 bits"):
        list(table.batches())


def test_large_finite_values_are_no_fault(tmp_path: Path) -> None:
    values = np.full((3, 2), np.finfo(np.float32).max)
    write(tmp_path / "e.parquet", pa.array(values.tolist()))
    np.testing.assert_array_equal(open_embeddings(tmp_path / "e.parquet").read(), values)


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        (["a", "b", "a"], r"image_id is not unique, 1 repeated: a \(rows 0 and 2\)"),
        (["a", None, "c"], "column image_id has 1 missing value, at row 1"),
        ([1.5, 2.0, 3.0], "column image_id must be string, but is double"),
    ],
)
def test_faulty_ids_are_refused(tmp_path: Path, ids: list[object], complaint: str) -> None:
    write(tmp_path / "e.parquet", pa.array(VECTORS.tolist()), ids)
    with pytest.raises(TableError, match=complaint):
        open_embeddings(tmp_path / "e.parquet")


def test_a_truncated_file_is_one_line(tmp_path: Path) -> None:
    pandas_table(tmp_path / "e.parquet")
    content = (tmp_path / "e.parquet").read_bytes()
    (tmp_path / "e.parquet").write_bytes(content[:-20])
    with pytest.raises(
        TableError, match="this is a Parquet file, but truncated: its footer is missing; write it again"
    ):
        open_embeddings(tmp_path / "e.parquet")


def test_damage_inside_the_file_is_one_line(tmp_path: Path, provenance: Provenance) -> None:
    values = np.random.default_rng(0).random((500, 64), np.float32)
    write_embeddings(tmp_path / "e.parquet", [str(row) for row in range(500)], values, provenance, "x")
    content = bytearray((tmp_path / "e.parquet").read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    (tmp_path / "e.parquet").write_bytes(content)
    with pytest.raises(TableError, match="damaged, or truncated") as failure:
        open_embeddings(tmp_path / "e.parquet").read()
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({"table": "trials"}, "this is a table of trials, not of embeddings"),
        ({"version": 99}, "written for version 99"),
        ({"version": float("inf")}, "written for version inf"),
        ({"dimension": 7}, "the metadata state 7 dimensions, the vectors have 2"),
        ({"dimension": "2"}, "the metadata's dimension must be a whole number of at least 1, but is '2'"),
        ({"dimension": float("nan")}, "the metadata's dimension must be a whole number of at least 1, but is nan"),
        ({"segments": [{"name": "s", "length": 3, "count": 1}]}, "the segments have 3 values, the vectors 2"),
        ({"segments": [{"name": "s"}]}, "segments must be a list of objects with name, length and count, but is"),
        ({"segments": {"name": "s", "length": 2}}, "segments must be a list, but is {"),
        ({"segments": [{"name": "s", "length": 10**4000}]}, "length of a segment must be a whole number"),
        (
            {"segments": [{"name": "s", "length": 2, "count": float("inf")}]},
            "count of a segment must be a whole number",
        ),
        ({"shape": [3, 3]}, r"shape \[3, 3\] does not hold 2 values"),
        ({"shape": [-1, -2]}, "shape must be a whole number of at least 1, but is -1"),
        ({"shape": [[2]]}, r"shape must be a whole number of at least 1, but is \[2\]"),
        ({"shape": 2}, "shape must be a list, but is 2"),
        ({"name": ["a", "b"]}, r"name must be text of at most 1,000 characters, but is \['a', 'b'\]"),
        ({"name": "x" * 10_000_000}, "name must be text of at most 1,000 characters, but is 'x"),
        ({"preprocessing": {"size": 128}}, "preprocessing must be text"),
        ({"model": 1.5}, "model must be text"),
        ({"skipped": "abc"}, "skipped must be a list, but is 'abc'"),
        ({"skipped": [1]}, "skipped must be a list of ids, but is 1"),
    ],
)
def test_metadata_that_contradicts_is_refused(tmp_path: Path, metadata: dict[str, object], complaint: str) -> None:
    table = pa.table({"image_id": IDS, "embedding": pa.array(VECTORS.tolist())})
    pq.write_table(table.replace_schema_metadata({"simtool": json.dumps(metadata)}), tmp_path / "e.parquet")
    with pytest.raises(TableError, match=complaint) as failure:
        open_embeddings(tmp_path / "e.parquet")
    assert str(failure.value).startswith(f"{tmp_path / 'e.parquet'}: ")
    assert str(failure.value).count("e.parquet") == 1
    assert len(str(failure.value)) < 400


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"name":' * 100_000,
        b"[1, 2]",
        b'{"dimension": ' + b"9" * 5_000 + b"}",
        json.dumps({"command": "abc", "inputs": {"a": 1}, "created_by": 3}).encode(),
        json.dumps({"command": [], "inputs": [[1]], "created_by": "x", "created_at": "y"}).encode(),
    ],
)
def test_metadata_that_are_none_are_passed_over(tmp_path: Path, raw: bytes) -> None:
    table = pa.table({"image_id": IDS, "embedding": pa.array(VECTORS.tolist())})
    pq.write_table(table.replace_schema_metadata({b"simtool": raw}), tmp_path / "e.parquet")
    opened = open_embeddings(tmp_path / "e.parquet")
    np.testing.assert_array_equal(opened.read(), VECTORS)
    assert (opened.info.name, opened.provenance) == ("e", None)


def test_a_name_with_half_a_surrogate_pair_can_be_written_again(tmp_path: Path, provenance: Provenance) -> None:
    table = pa.table({"image_id": IDS, "embedding": pa.array(VECTORS.tolist())})
    pq.write_table(table.replace_schema_metadata({b"simtool": rb'{"name": "x\ud800"}'}), tmp_path / "e.parquet")
    name = open_embeddings(tmp_path / "e.parquet").info.name
    write_embeddings(tmp_path / "again.parquet", IDS, VECTORS, provenance, name)
    assert open_embeddings(tmp_path / "again.parquet").info.name == name == "x?"


def test_a_number_may_name_a_model(tmp_path: Path) -> None:
    table = pa.table({"image_id": IDS, "embedding": pa.array(VECTORS.tolist())})
    pq.write_table(table.replace_schema_metadata({b"simtool": b'{"name": 50}'}), tmp_path / "e.parquet")
    assert open_embeddings(tmp_path / "e.parquet").info.name == "50"


def shards(folder: Path, provenance: Provenance, count: int = 3, first: int = 0) -> Path:
    folder.mkdir()
    for index in range(count):
        ids = [f"{index}-{row}" for row in range(index + 1)]
        values = np.full((len(ids), 2), index, np.float32)
        write_embeddings(folder / part_name(index + first, count), ids, values, provenance, "sharded")
    return folder


@pytest.mark.parametrize("first", [0, 1])
def test_a_folder_of_parts_is_one_table(tmp_path: Path, provenance: Provenance, first: int) -> None:
    table = open_embeddings(shards(tmp_path / "parts", provenance, first=first))
    assert list(table.image_id) == ["0-0", "1-0", "1-1", "2-0", "2-1", "2-2"]
    np.testing.assert_array_equal(table.read()[:, 0], [0, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(table.read(np.array([5, 0, 1]))[:, 0], [2, 0, 1])


def test_a_missing_part_is_named(tmp_path: Path, provenance: Provenance) -> None:
    folder = shards(tmp_path / "parts", provenance)
    (folder / part_name(1, 3)).unlink()
    with pytest.raises(TableError, match=r"the set of 3 parts is incomplete, 1 missing: part-00001-of-00003\.parquet"):
        open_embeddings(folder)


def test_missing_parts_are_named_as_an_array_of_slurm_wants_them(tmp_path: Path, provenance: Provenance) -> None:
    folder = shards(tmp_path / "parts", provenance, 12)
    for index in (3, 7, 8, 9, 11):
        (folder / part_name(index, 12)).unlink()
    with pytest.raises(TableError, match=r"5 missing: .* run embed --shard I/12 for I = 3,7-9,11 .*--array=3,7-9,11\)"):
        open_embeddings(folder)


def test_a_part_of_another_set_is_not_welcome(tmp_path: Path, provenance: Provenance) -> None:
    folder = shards(tmp_path / "parts", provenance)
    require_set_of(folder, 3)
    require_set_of(tmp_path / "none yet", 4)
    with pytest.raises(TableError, match=r"part-00000-of-00003\.parquet, a part of a set of 3 parts, not of 4"):
        require_set_of(folder, 4)


def test_parts_of_unequal_dimension_are_refused(tmp_path: Path, provenance: Provenance) -> None:
    folder = shards(tmp_path / "parts", provenance)
    write_embeddings(folder / part_name(2, 3), ["z"], np.zeros((1, 5), np.float32), provenance, "sharded")
    with pytest.raises(TableError, match=r"parts disagree: part-00000-of-00003\.parquet has 2 dimensions, part-00002"):
        open_embeddings(folder)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ({"untrained": 0}, {"untrained": 1}, "untrained"),
        ({"untrained": 0}, {}, "untrained"),
        ({"origin": "keras:VGG16"}, {"origin": "keras:VGG19"}, "origin"),
    ],
)
def test_parts_of_a_model_and_of_its_control_are_refused(
    tmp_path: Path, provenance: Provenance, first: dict[str, Any], second: dict[str, Any], named: str
) -> None:
    for at, (fields, name) in enumerate(((first, "a"), (second, "b"))):
        info = EmbeddingInfo("net", 2, **fields)
        with EmbeddingWriter(tmp_path / part_name(at, 2), info, provenance) as writer:
            writer.write([name], VECTORS[:1])
    with pytest.raises(TableError, match=f"differ in {named}"):
        open_embeddings(tmp_path)


def test_parts_of_an_older_version_state_no_origin(tmp_path: Path, provenance: Provenance) -> None:
    for at, (origin, name) in enumerate((("keras:VGG16", "a"), (None, "b"))):
        with EmbeddingWriter(tmp_path / part_name(at, 2), EmbeddingInfo("net", 2, origin=origin), provenance) as writer:
            writer.write([name], VECTORS[:1])
    assert open_embeddings(tmp_path).info.origin == "keras:VGG16"


def test_an_untrained_model_states_its_seed_and_its_origin(tmp_path: Path, provenance: Provenance) -> None:
    info = EmbeddingInfo("net, untrained, seed 0", 2, model="5a", untrained=0, origin="keras:VGG16")
    with EmbeddingWriter(tmp_path / "e.parquet", info, provenance) as writer:
        writer.write(IDS, VECTORS)
    read = open_embeddings(tmp_path / "e.parquet").info
    assert (read.untrained, read.origin) == (0, "keras:VGG16")


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_a_seed_that_is_no_whole_number_is_refused(tmp_path: Path, seed: object) -> None:
    with pytest.raises(TableError, match="untrained must be a whole number of at least 0"):
        EmbeddingInfo.from_json({"untrained": seed}, tmp_path / "e.parquet", 2)


def test_parts_of_different_models_are_refused(tmp_path: Path, provenance: Provenance) -> None:
    folder = shards(tmp_path / "parts", provenance)
    write_embeddings(folder / part_name(2, 3), ["z"], np.zeros((1, 2), np.float32), provenance, "other")
    with pytest.raises(TableError, match="differ in name"):
        open_embeddings(folder)


@pytest.mark.parametrize("other", [None, "conv4:window=0.25"])
def test_parts_of_different_layers_are_refused(tmp_path: Path, provenance: Provenance, other: str | None) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for index, layer in enumerate(["conv4:window=0.5", other]):
        info = EmbeddingInfo("net", 2, layer=layer)
        with EmbeddingWriter(folder / part_name(index, 2), info, provenance) as writer:
            writer.write([f"image {index}"], np.zeros((1, 2), np.float32))
    with pytest.raises(TableError, match="differ in layer"):
        open_embeddings(folder)


def test_an_image_in_two_parts_is_refused(tmp_path: Path, provenance: Provenance) -> None:
    folder = shards(tmp_path / "parts", provenance)
    write_embeddings(folder / part_name(2, 3), ["0-0"], np.zeros((1, 2), np.float32), provenance, "sharded")
    with pytest.raises(TableError, match="image_id is not unique"):
        open_embeddings(folder)


def test_parts_under_any_names_are_read_in_order(tmp_path: Path) -> None:
    for name, ids in (("b.parquet", ["c"]), ("a.parquet", ["a", "b"])):
        write(tmp_path / name, pa.array(VECTORS[: len(ids)].tolist()), list(ids))
    table = open_embeddings(tmp_path)
    assert list(table.image_id) == ["a", "b", "c"]
    assert table.info.name == tmp_path.name


@pytest.mark.parametrize("path", ["absent", "."])
def test_nothing_there_is_one_line(tmp_path: Path, path: str) -> None:
    with pytest.raises(TableError, match=r"no such file or folder|an empty folder, not a table of embeddings"):
        open_embeddings(tmp_path / path)


def test_the_writer_streams_in_blocks_of_any_size(tmp_path: Path, provenance: Provenance) -> None:
    values = np.random.default_rng(0).random((700, 4096), np.float32)
    with EmbeddingWriter(tmp_path / "e.parquet", EmbeddingInfo("x", 4096), provenance) as writer:
        for start in range(0, 700, 90):
            block = values[start : start + 90]
            writer.write([str(start + row) for row in range(len(block))], block)
    table = open_embeddings(tmp_path / "e.parquet")
    np.testing.assert_array_equal(table.read(), values)
    groups = pq.ParquetFile(tmp_path / "e.parquet").metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [512, 188]


@pytest.mark.parametrize(
    ("ids", "values", "complaint"),
    [
        (["a", "a"], np.zeros((2, 2)), "image_id is not unique"),
        (["a"], np.array([[np.nan, 0]]), "NaN or infinity in 1 vector: a"),
        (["a"], np.array([[1e6, 0]]), "NaN or infinity in 1 vector: a"),
        (["a"], np.zeros((1, 3)), r"expected 1 vector of 2 values, got \(1, 3\)"),
    ],
)
def test_the_writer_refuses_faults_and_leaves_nothing(
    tmp_path: Path, provenance: Provenance, ids: list[str], values: np.ndarray, complaint: str
) -> None:
    with (
        pytest.raises(TableError, match=complaint),
        EmbeddingWriter(tmp_path / "e.parquet", EmbeddingInfo("x", 2), provenance, float16=True) as writer,
    ):
        writer.write(ids, values)
    assert not list(tmp_path.iterdir())


def test_half_precision_is_written_on_request(tmp_path: Path, provenance: Provenance) -> None:
    with EmbeddingWriter(tmp_path / "e.parquet", EmbeddingInfo("x", 2), provenance, float16=True) as writer:
        writer.write(IDS, VECTORS)
    assert open_embeddings(tmp_path / "e.parquet").dtype == np.float16
    np.testing.assert_array_equal(open_embeddings(tmp_path / "e.parquet").read(), VECTORS)


def test_a_table_in_memory_reads_as_its_file_does(tmp_path: Path) -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    ids = ["d", "b", "a", "c"]
    write_embeddings(tmp_path / "t.parquet", ids, vectors, Provenance.of(["test"], []), "net")
    held, file = EmbeddingTable.of(ids, vectors, EmbeddingInfo("net", 3)), open_embeddings(tmp_path / "t.parquet")
    assert (held.info, held.image_id.tolist(), len(held)) == (file.info, file.image_id.tolist(), 4)
    for rows in (None, np.array([3, 0, 0])):
        np.testing.assert_array_equal(held.read(rows, np.float64), file.read(rows, np.float64))
    assert held.rows_of(["c", "d"]).tolist() == [3, 0]


def test_a_table_in_memory_is_checked() -> None:
    info = EmbeddingInfo("net", 2)
    with pytest.raises(TableError, match="net: image_id is not unique"):
        EmbeddingTable.of(["a", "a"], np.zeros((2, 2)), info)
    with pytest.raises(TableError, match=r"net: expected 1 vector of 2 values, got \(2, 2\)"):
        EmbeddingTable.of(["a"], np.zeros((2, 2)), info)
    with pytest.raises(TableError, match=r"net: NaN or infinity in 1 vector: row 1 \(b\)"):
        EmbeddingTable.of(["a", "b"], np.array([[0, 0], [np.nan, 0]]), info).read()


def test_a_collector_keeps_what_a_writer_would_write() -> None:
    with EmbeddingCollector(EmbeddingInfo("net", 2), float16=True) as writer:
        writer.write(["a"], np.ones((1, 2)))
        writer.write(["b"], np.zeros((1, 2)))
        writer.skip(["c"])
    assert writer.table.info.skipped == ("c",)
    assert writer.table.dtype == np.float16
    np.testing.assert_array_equal(writer.table.read(), [[1, 1], [0, 0]])


@pytest.fixture
def some_table(tmp_path: Path, provenance: Provenance) -> EmbeddingTable:
    write_embeddings(tmp_path / "e.parquet", IDS, VECTORS, provenance, "my model")
    return open_embeddings(tmp_path / "e.parquet")


def test_vectors_that_were_read_ahead_are_read_once(
    some_table: EmbeddingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_table.read_ahead(np.array([2, 0]))
    monkeypatch.setattr(some_table, "_read", None)
    np.testing.assert_array_equal(some_table.read(np.array([2, 0])), VECTORS[[2, 0]])


@pytest.mark.parametrize("ahead", [[2, 0, 2], [0, 1, 2], [1]])
def test_vectors_that_were_read_ahead_are_the_same(some_table: EmbeddingTable, ahead: list[int]) -> None:
    some_table.read_ahead(np.array(ahead))
    for _ in range(2):
        np.testing.assert_array_equal(some_table.read(np.array([2, 0, 2])), VECTORS[[2, 0, 2]])


def test_vectors_that_were_read_ahead_in_another_type_are_read_in_the_wanted_type(some_table: EmbeddingTable) -> None:
    some_table.read_ahead(np.arange(3), np.float64)
    assert some_table.read(np.arange(3)).dtype == np.float32


def test_a_fault_that_is_found_ahead_is_raised_by_the_reader(tmp_path: Path) -> None:
    table = open_embeddings(write(tmp_path / "e.parquet", pa.array([[1.0, 2.0], [3.0, float("nan")]])))
    table.read_ahead(np.arange(2))
    with pytest.raises(TableError, match=r"NaN or infinity in 1 vector: row 1 \(b\)"):
        table.read(np.arange(2))

"""Vectors in any layout: lists, views, arrays, matrices in rows, tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.tables.embeddings import EmbeddingInfo, EmbeddingWriter, open_embeddings
from simtool.tables.parquet import TableError
from simtool.tables.provenance import Provenance
from simtool.tables.vectors import as_matrix, common_shape

ROWS = 5
MATRICES = np.arange(ROWS * 6, dtype=np.float32).reshape(ROWS, 2, 3)
IDS = [str(row) for row in range(ROWS)]


def save(path: Path, embedding: pa.Array) -> None:
    try:
        pq.write_table(pa.table({"image_id": IDS, "embedding": embedding}), path)
    except pa.ArrowNotImplementedError as failure:
        pytest.skip(f"pyarrow {pa.__version__}: {failure}")


def lists(path: Path) -> None:
    save(path, pa.array(MATRICES.tolist()))


def large_list_views(path: Path) -> None:
    save(path, pa.array(MATRICES.tolist(), pa.large_list_view(pa.list_view(pa.float64()))))


def fixed_lists(path: Path) -> None:
    save(path, pa.array(MATRICES.tolist(), pa.list_(pa.list_(pa.float32(), 3), 2)))


def lists_of_groups(path: Path) -> None:
    rows = [[{"element": [{"element": value} for value in row]} for row in matrix] for matrix in MATRICES.tolist()]
    save(path, pa.array(rows))


def tensors(path: Path) -> None:
    save(path, pa.FixedShapeTensorArray.from_numpy_ndarray(MATRICES))


def tensors_with_axes_in_another_order(path: Path) -> None:
    kind = pa.fixed_shape_tensor(pa.float32(), [3, 2], permutation=[1, 0])
    stored = MATRICES.transpose(0, 2, 1).reshape(ROWS, 6).tolist()
    save(path, pa.ExtensionArray.from_storage(kind, pa.array(stored, pa.list_(pa.float32(), 6))))


def polars_arrays(path: Path) -> None:
    pl.DataFrame({"image_id": IDS, "embedding": MATRICES}).write_parquet(path)


def duckdb_arrays(path: Path) -> None:
    rows = ", ".join(f"('{name}', {matrix.tolist()}::FLOAT[3][2])" for name, matrix in zip(IDS, MATRICES, strict=True))
    duckdb.sql(f"COPY (SELECT * FROM (VALUES {rows}) t(image_id, embedding)) TO '{path}' (FORMAT parquet)")  # noqa: S608


def duckdb_decimals(path: Path) -> None:
    rows = ", ".join(f"('{name}', {matrix.tolist()})" for name, matrix in zip(IDS, MATRICES, strict=True))
    duckdb.sql(f"COPY (SELECT * FROM (VALUES {rows}) t(image_id, embedding)) TO '{path}' (FORMAT parquet)")  # noqa: S608


@pytest.mark.parametrize(
    "writer",
    [
        lists,
        large_list_views,
        fixed_lists,
        lists_of_groups,
        tensors,
        tensors_with_axes_in_another_order,
        polars_arrays,
        duckdb_arrays,
        duckdb_decimals,
    ],
)
def test_matrices_are_flattened_row_by_row_and_keep_their_shape(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    writer(tmp_path / "e.parquet")
    table = open_embeddings(tmp_path / "e.parquet")
    assert (table.info.dimension, table.info.shape) == (6, (2, 3))
    np.testing.assert_array_equal(table.read(), MATRICES.reshape(ROWS, 6))


@pytest.mark.parametrize("layout", [pa.list_view, pa.large_list_view, pa.large_list, pa.list_])
def test_vectors_in_one_row_matrices_and_views_are_read(
    tmp_path: Path, layout: Callable[[pa.DataType], pa.DataType]
) -> None:
    save(tmp_path / "flat.parquet", pa.array(MATRICES.reshape(ROWS, 6).tolist(), layout(pa.float32())))
    save(tmp_path / "row.parquet", pa.array(MATRICES.reshape(ROWS, 1, 6).tolist(), layout(layout(pa.float32()))))
    for name, shape in (("flat", ()), ("row", (1, 6))):
        table = open_embeddings(tmp_path / f"{name}.parquet")
        assert table.info.shape == shape
        np.testing.assert_array_equal(table.read(), MATRICES.reshape(ROWS, 6))


def duckdb_rows(path: Path) -> list[tuple[list[float]]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT embedding FROM '{path}' ORDER BY image_id").fetchall()  # noqa: S608


def test_half_floats_are_read_by_duckdb_and_polars(tmp_path: Path, provenance: Provenance) -> None:
    path, vectors = tmp_path / "e.parquet", MATRICES.reshape(ROWS, 6) / 8
    with EmbeddingWriter(path, EmbeddingInfo("x", 6), provenance, float16=True) as writer:
        writer.write(IDS, vectors)
    theirs = duckdb_rows(path)
    np.testing.assert_array_equal([row[0] for row in theirs], vectors)
    np.testing.assert_array_equal(pl.read_parquet(path)["embedding"].to_list(), vectors)
    assert open_embeddings(path).dtype == np.float16


def test_single_floats_are_read_by_duckdb_and_polars(tmp_path: Path, provenance: Provenance) -> None:
    path, vectors = tmp_path / "e.parquet", MATRICES.reshape(ROWS, 6) / 7
    with EmbeddingWriter(path, EmbeddingInfo("x", 6), provenance) as writer:
        writer.write(IDS, vectors)
    theirs = duckdb_rows(path)
    np.testing.assert_array_equal(np.array([row[0] for row in theirs], np.float32), vectors)
    np.testing.assert_array_equal(pl.read_parquet(path)["embedding"].to_numpy(), vectors)


def test_faults_are_told_by_what_most_vectors_of_the_block_have() -> None:
    column = pa.array([[1.0], [1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TableError, match="t: all vectors must have 2 values; 1 vector differs: #0: 1 value"):
        as_matrix(Path("t"), column, (1,), np.dtype(float), "#{}".format)


def fits(row: list[list[float] | None] | None, shape: tuple[int, ...]) -> bool:
    return row is not None and len(row) == shape[0] and all(one is not None and len(one) == shape[1] for one in row)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.lists(st.one_of(st.none(), st.lists(st.floats(width=32), max_size=3)), max_size=3)),
        max_size=8,
    ),
    st.sampled_from([pa.list_, pa.large_list, pa.list_view, pa.large_list_view]),
)
def test_a_column_is_a_matrix_or_a_line(
    rows: list[list[list[float] | None] | None], layout: Callable[[pa.DataType], pa.DataType]
) -> None:
    column = pa.array([[[0.0, 1.0]], *rows], layout(layout(pa.float32()))).slice(1)
    shape = common_shape(column)
    whole = bool(shape) and all(fits(row, shape) for row in rows)
    shape = shape or (1, 1)
    if not whole and rows:
        with pytest.raises(TableError, match=r"\A.*\Z"):
            as_matrix(Path("t"), column, shape, np.dtype(np.float32), "#{}".format)
        return
    matrix = as_matrix(Path("t"), column, shape, np.dtype(np.float32), "#{}".format)
    np.testing.assert_array_equal(matrix.reshape(len(rows), *shape), np.array(rows, np.float32).reshape(-1, *shape))

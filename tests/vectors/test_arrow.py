from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from simtool.errors import SimtoolError
from simtool.kinds import kind_of
from simtool.vectors.arrow import open_arrow
from simtool.vectors.vectors import Vectors

NUMBERS = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
NAMES = [f"{at}.jpg" for at in range(3000)]
LISTS = pa.table({"image_id": NAMES, "embedding": pa.array(list(NUMBERS))})
WIDE = pa.table({"x": NUMBERS[:, 0], "name": NAMES, "y": NUMBERS[:, 1], "z": NUMBERS[:, 2]})


def stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "parquet": pq.write_table,
    "feather": pa.feather.write_feather,
    "stream": stream,
}


def opened(path: Path, asked: str | None = None) -> Vectors:
    return open_arrow(path, kind_of(path), asked)


def values(vectors: Vectors) -> np.ndarray:
    return np.concatenate([block for _, block in vectors.batches()])


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("table", [LISTS, WIDE], ids=["lists", "columns"])
def test_vectors_are_a_column_of_lists_or_many_columns(tmp_path: Path, kind: str, table: pa.Table) -> None:
    WRITERS[kind](table, tmp_path / "a")
    vectors = opened(tmp_path / "a")
    assert (vectors.rows, vectors.shape) == (3000, (3,))
    assert list(vectors.names or ()) == NAMES
    np.testing.assert_array_equal(values(vectors), NUMBERS)


@pytest.mark.filterwarnings("ignore:Feather V1:DeprecationWarning")
def test_the_first_version_of_feather_is_refused(tmp_path: Path) -> None:
    pa.feather.write_feather(WIDE, tmp_path / "a", version=1)
    with pytest.raises(SimtoolError, match="this is version 1 of Feather; write it again, as version 2"):
        opened(tmp_path / "a")


def test_tables_of_pandas_and_polars_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(NUMBERS, index=pd.Index(NAMES), columns=list("xyz"))
    frame.to_parquet(tmp_path / "pandas")
    frame.reset_index(names="file").to_feather(tmp_path / "feather")
    pl.DataFrame({"file": NAMES, "vector": NUMBERS}).write_ipc(tmp_path / "polars")
    for name in ("pandas", "feather", "polars"):
        vectors = opened(tmp_path / name)
        assert list(vectors.names or ()) == NAMES
        np.testing.assert_array_equal(values(vectors), NUMBERS)


def test_vectors_without_a_column_of_names_have_none(tmp_path: Path) -> None:
    pq.write_table(LISTS.select(["embedding"]), tmp_path / "a")
    assert opened(tmp_path / "a").names is None


def test_of_several_columns_of_vectors_one_must_be_named(tmp_path: Path) -> None:
    pq.write_table(LISTS.append_column("other", pa.array(list(2 * NUMBERS))), tmp_path / "a")
    with pytest.raises(SimtoolError, match="several columns of vectors: embedding, other; choose one with --dataset"):
        opened(tmp_path / "a")
    np.testing.assert_array_equal(values(opened(tmp_path / "a", "other")), 2 * NUMBERS)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pa.table({"name": ["a", "b"], "v": [[1.0, 2.0], [1.0]]}), "all vectors must have 2 values; 1 vector differs"),
        (pa.table({"name": ["a", "b"], "v": [[1.0, 2.0], None]}), "1 vector differs: row 1 (b): missing"),
        (pa.table({"name": ["a", "b"], "v": [[1.0, 2.0], [1.0, None]]}), "missing values in 1 vector: row 1 (b)"),
        (pa.table({"name": ["a", "a"], "v": [[1.0], [2.0]]}), "name is not unique, 1 repeated: a (rows 0 and 1)"),
        (pa.table({"name": ["a", None], "v": [[1.0], [2.0]]}), "1 vector without a name"),
        (pa.table({"name": ["a", "b"], "v": [1.0, None]}), "column v has missing values"),
        (pa.table({"name": ["a", "b"], "v": [1.0, 2.0], "class": ["x", "y"]}), "column class holds no numbers"),
        (pa.table({"name": ["a", "b"]}), "it holds no vectors: 2 x 0"),
        (pa.table({"name": pa.array([], pa.string()), "v": pa.array([], pa.float32())}), "it ha"),
    ],
)
def test_tables_that_are_no_vectors_are_refused(tmp_path: Path, table: pa.Table, reason: str) -> None:
    pq.write_table(table, tmp_path / "a")
    with pytest.raises(SimtoolError) as failure:
        values(opened(tmp_path / "a"))
    assert reason in str(failure.value)

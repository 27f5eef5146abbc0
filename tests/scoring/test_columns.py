from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from simtool.scoring import columns as columns_module
from simtool.scoring.columns import HeldColumns, SpooledColumns, block_width, columns_of
from simtool.system.space import SpaceError
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, EmbeddingWriter, open_embeddings
from simtool.tables.provenance import Provenance


def table_of(path: Path, vectors: np.ndarray, float16: bool = False) -> EmbeddingTable:
    with EmbeddingWriter(path, EmbeddingInfo("m", vectors.shape[1]), Provenance.of(["t"], []), float16) as writer:
        writer.write([f"i{row}" for row in range(len(vectors))], vectors)
    return open_embeddings(path)


def test_spooled_vectors_read_as_held_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "_PIECE", 64)
    monkeypatch.setattr(columns_module, "_ROWS", 4 * 53 * 3)
    vectors = np.random.default_rng(0).standard_normal((20, 53)).astype(np.float32)
    rows = np.array([3, 1, 19, 0, 7, 8, 12])
    spooled = SpooledColumns(table_of(tmp_path / "t.parquet", vectors), rows)
    held = HeldColumns(vectors, rows)
    np.testing.assert_array_equal(held.read(0, 53), vectors[rows])
    for start, stop in [(0, 16), (16, 32), (48, 53), (0, 53), (5, 40), (17, 18)]:
        block = spooled.read(start, stop)
        assert block.flags.c_contiguous
        np.testing.assert_array_equal(block, held.read(start, stop))
    spooled.close()


def test_vectors_beyond_the_memory_are_spooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "_READING", 0)
    table = table_of(tmp_path / "t.parquet", np.ones((4, 8), np.float32))
    work = 4 * 16 * (4 + 24)
    with columns_of(table, np.arange(4), memory=work + 4 * 8 * 4) as columns:
        assert isinstance(columns, HeldColumns)
    with columns_of(table, np.arange(4), memory=work + 4 * 8 * 4 - 1) as columns:
        assert isinstance(columns, SpooledColumns)


def test_little_memory_makes_blocks_narrow(tmp_path: Path) -> None:
    table = table_of(tmp_path / "t.parquet", np.ones((400, 8), np.float32))
    for memory, width in ((1 << 30, 2048), (1 << 23, (1 << 19) // 400 // 4), (1 << 10, 16)):
        with columns_of(table, np.arange(400), memory) as columns:
            assert columns.width == width


def test_vectors_are_taken_whole_from_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "_PIECE", 64)
    vectors = np.random.default_rng(0).standard_normal((20, 53)).astype(np.float32)
    rows, some = np.array([3, 1, 19, 0, 7]), np.array([4, 0, 0, 2])
    spooled = SpooledColumns(table_of(tmp_path / "t.parquet", vectors), rows)
    for columns in (spooled, HeldColumns(vectors, rows), HeldColumns(vectors[rows])):
        taken = columns.take(some)
        assert taken.dtype == np.float64
        np.testing.assert_array_equal(taken, vectors[rows][some])
    spooled.close()


@pytest.mark.parametrize(("stored", "held"), [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i8", "f8")])
def test_stored_values_are_held_exactly(stored: str, held: str) -> None:
    columns = HeldColumns(np.ones((2, 3), stored))
    assert columns.dtype == columns.read(0, 2).dtype == held


def test_many_vectors_make_blocks_narrow() -> None:
    assert block_width(1000, np.dtype(np.float32)) == 2048
    assert block_width(1000, np.dtype(np.float64)) == 1024
    assert block_width(1_000_000, np.dtype(np.float32)) == 67
    assert block_width(10**9, np.dtype(np.float32)) == 16


def test_a_disk_without_room_is_named_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(tmp_path / "t.parquet", np.ones((4, 8), np.float32))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with (
        pytest.raises(SpaceError, match=r"not enough disk space for these vectors: 128 B needed.*TMPDIR"),
        columns_of(table, np.arange(4), memory=0),
    ):
        pass

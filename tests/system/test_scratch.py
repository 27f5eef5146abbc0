"""Matrices in scratch files."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simtool.system.scratch import ColumnFile
from simtool.system.space import SpaceError

once_per_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)


@once_per_folder
@given(
    rows=st.integers(1, 30), columns=st.integers(1, 40), width=st.integers(1, 50), batch=st.integers(1, 9),
    spare=st.integers(0, 5), dtype=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_what_is_written_by_rows_is_read_by_columns(
    tmp_path: Path, rows: int, columns: int, width: int, batch: int, spare: int, dtype: str
) -> None:
    values = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
    file = ColumnFile(tmp_path, (rows + spare, columns), width, "a test", dtype)
    for start in range(0, rows, batch):
        file.write(start, values[start : start + batch])
    for row, count in ((0, rows), (rows // 2, 1)):
        found = np.concatenate([file.read(block, row, count) for block in file.blocks], axis=1)
        np.testing.assert_array_equal(found, values[row : row + count])
    if not spare:
        np.testing.assert_array_equal(np.concatenate([file.read(block) for block in file.blocks], axis=1), values)
    file.close()


def test_scratch_files_have_no_name_to_be_left_behind(tmp_path: Path) -> None:
    ColumnFile(tmp_path, (3, 4), 2, "a test").write(0, np.ones((3, 4), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1_000_000_000))
    with pytest.raises(SpaceError, match=r"2\.32 GB needed, 1 GB free; .*--scratch"):
        ColumnFile(tmp_path, (11_788, 49_152), 100, "a test")
    ColumnFile(tmp_path, (1_000, 250_000), 100, "a test").close()

"""What a file is, by its content."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool.kinds import Door, KindError, What, explain, kind_of


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2, 3]}), buffer)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [4, 11, 100, -1])
def test_a_cut_off_parquet_file_is_a_truncated_one(tmp_path: Path, size: int) -> None:
    file = tmp_path / "features.csv"
    file.write_bytes(parquet()[:size])
    kind = kind_of(file)
    assert (kind.what, kind.truncated) == (What.PARQUET, True)
    assert explain(file, Door.TRIALS) == (
        f"{file}: this is a Parquet file, but truncated: its footer is missing; write it again"
    )


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KindError, match="a pipe, not a file"):
        kind_of(tmp_path / "pipe")

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from simtool import __version__
from simtool.tables.provenance import InputFile, Provenance


def test_inputs_are_hashed_and_named_as_given(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"content")
    origin = Provenance.of(["score", "x"], [file])
    assert origin.inputs == (InputFile(file.as_posix(), hashlib.sha256(b"content").hexdigest()),)
    assert origin.command == ("score", "x")
    assert origin.created_by == f"simtool {__version__}"
    offset = datetime.fromisoformat(origin.created_at).utcoffset()
    assert offset is not None
    assert not offset


def test_a_folder_stands_for_its_parts(tmp_path: Path) -> None:
    for name in ("b.parquet", "a.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    names = [Path(entry.name).name for entry in Provenance.of([], [tmp_path]).inputs]
    assert names == ["a.parquet", "b.parquet"]


def test_json_round_trip_and_absence(tmp_path: Path) -> None:
    origin = Provenance.of(["embed"], [])
    assert Provenance.from_json(origin.to_json()) == origin
    assert Provenance.from_json({}) is None
    assert Provenance.from_json({"command": 3}) is None

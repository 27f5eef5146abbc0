"""Tests of :mod:`simtool.stages.hashing`."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simtool import stages
from simtool.stages.hashing import Hashing, announce, of_stage
from simtool.tables.embeddings import write_embeddings
from simtool.tables.provenance import Content, InputFile, Provenance


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The files that are hashed, and whether the main thread hashes them."""
    calls: list[tuple[str, bool]] = []
    original = Content.of

    def of(path: Path) -> Content:
        calls.append((path.name, threading.current_thread() is threading.main_thread()))
        return original(path)

    monkeypatch.setattr(Content, "of", of)
    return calls


def test_a_stage_hashes_its_inputs_once_beside_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[tuple[str, bool]]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("judgments.csv").write_text("query,reference_1,reference_2,selected_1\na,b,c,b\n")
    trials = stages.import_trials("judgments.csv", "trials.parquet")
    write_embeddings(Path("vectors.parquet"), trials.images, np.eye(3), Provenance.of(["test"], []), "one-hot")
    stages.score("vectors.parquet", "trials.parquet", "outcomes.parquet")
    assert hashed == [("judgments.csv", False), ("trials.parquet", False), ("vectors.parquet", False)]
    provenance = stages.show("outcomes.parquet").description.provenance
    assert provenance is not None
    assert provenance.inputs == (InputFile.of(Path("trials.parquet")), InputFile.of(Path("vectors.parquet")))


def test_a_stage_that_writes_nothing_hashes_nothing(tmp_path: Path, hashed: list[tuple[str, bool]]) -> None:
    (tmp_path / "judgments.csv").write_text("query,reference_1,reference_2,selected_1\na,b,c,b\n")
    stages.import_trials(tmp_path / "judgments.csv")
    assert hashed == []


def test_an_announced_file_is_hashed_once_in_another_thread(tmp_path: Path, hashed: list[tuple[str, bool]]) -> None:
    file = tmp_path / "judgments.csv"
    file.write_text("query")
    hashing = Hashing()
    hashing.begin(file)
    hashing.begin(file)
    assert hashing.describe(file) == hashing.describe(file)
    assert hashed == [("judgments.csv", False)]
    assert hashing.describe(file) == InputFile.of(file)


def test_a_file_that_changes_after_it_was_announced_is_hashed_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "judgments.csv"
    file.write_text("query")
    hashing = Hashing()
    hashing.begin(file)
    before = hashing.describe(file)
    file.write_text("query, reference_1")
    assert hashing.describe(file) == InputFile.of(file) != before


def test_the_parts_of_a_folder_are_hashed(tmp_path: Path, hashed: list[tuple[str, bool]]) -> None:
    for part in ("a.parquet", "b.parquet"):
        pq.write_table(pa.table({"x": [1]}), tmp_path / part)
    hashing = Hashing()
    hashing.begin(tmp_path)
    hashing.describe(tmp_path / "a.parquet")
    hashing.describe(tmp_path / "b.parquet")
    assert hashed == [("a.parquet", False), ("b.parquet", False)]


def test_what_cannot_be_read_is_an_error_only_when_it_is_described(tmp_path: Path) -> None:
    hashing = Hashing()
    hashing.begin(tmp_path / "missing.csv")
    hashing.begin(tmp_path)  # a folder without a table
    with pytest.raises(FileNotFoundError):
        hashing.describe(tmp_path / "missing.csv")


def test_files_that_are_announced_before_a_stage_are_hashed_for_that_stage_only(
    tmp_path: Path, hashed: list[tuple[str, bool]]
) -> None:
    file = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"x": [1]}), file)
    announce([file, tmp_path, tmp_path / "absent.parquet"])
    hashing = of_stage()
    hashing.begin(file)
    assert hashing.describe(file) == InputFile.of(file, Content.of(file))
    assert hashed == [("vectors.parquet", False), ("vectors.parquet", True)]
    assert of_stage().describe(file) == hashing.describe(file)
    assert hashed[2:] == [("vectors.parquet", True)]


def test_hashing_a_file_before_a_stage_imports_no_pyarrow(tmp_path: Path) -> None:
    file = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"x": [1]}), file)
    program = (
        "import sys; from pathlib import Path; from simtool.stages.hashing import announce; "
        "from simtool.tables.provenance import Content; announce([Path(sys.argv[1])]); "
        "print(Content.of(Path(sys.argv[1])).sha256, 'pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [InputFile.of(file).sha256, "False"]

from __future__ import annotations

from pathlib import Path

import pytest

from simtool.archive import ArchiveError
from simtool.collections.birds16 import Birds16Error
from simtool.kinds import KindError
from simtool.stages.fetching import inspect_copy
from tests.studies import Judgment, write, write_hdf5, write_hdf5_catalog, write_photographs, write_sequences, zipped

STUDY = [Judgment(0, (4, 9, 2), (0,)), Judgment(7, (5, 6, 8, 10), (0, 1))]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs")


def test_what_a_copy_holds_is_told_by_content(tmp_path: Path, photographs: Path) -> None:
    sequences = write_sequences(tmp_path / "sequences", STUDY)
    for path in (
        sequences,
        write(tmp_path / "a.zip", zipped(sequences)),
        write(tmp_path / "b", zipped(sequences, "x/")),
    ):
        copy = inspect_copy(path)
        assert (copy.judgments, copy.photographs) == ((path, None), False)
    for path in (photographs, write(tmp_path / "c.zip", zipped(photographs))):
        copy = inspect_copy(path)
        assert (copy.judgments, copy.photographs) == (None, True)


def test_a_folder_may_hold_psizs_own_files_and_the_one_with_sessions_is_read(tmp_path: Path, photographs: Path) -> None:
    catalog = write_hdf5_catalog(tmp_path / "catalog.hdf5")
    write_hdf5(tmp_path / "obs_a.hdf5", STUDY, modern=False)
    modern = write_hdf5(tmp_path / "obs_b.hdf5", STUDY, modern=True)
    copy = inspect_copy(tmp_path)
    assert (copy.judgments, copy.photographs) == ((modern, catalog), True)


def test_a_copy_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Birds16Error, match=r"no judgments .* and no photographs"):
        inspect_copy(tmp_path / "empty")
    with pytest.raises(ArchiveError, match="a zip archive, but truncated"):
        inspect_copy(write(tmp_path / "cut.zip", b"PK\x03\x04"))
    with pytest.raises(KindError, match=r"absent\.zip: no such file"):
        inspect_copy(tmp_path / "absent.zip")

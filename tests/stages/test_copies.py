from __future__ import annotations

from pathlib import Path

import pytest

from simtool.archive import ArchiveError
from simtool.collections.studies import studies
from simtool.errors import UsageError
from simtool.kinds import KindError
from simtool.stages.copies import Copy, CopyError, holding, inspect_copy
from tests.studies import Judgment, write, write_hdf5, write_hdf5_catalog, write_photographs, write_sequences, zipped

BIRDS, THINGS = studies()["birds-16"], studies()["things"]
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
        copy = inspect_copy(path, BIRDS)
        assert (copy.judgments, copy.photographs) == ((path, None), False)
    for path in (photographs, write(tmp_path / "c.zip", zipped(photographs))):
        copy = inspect_copy(path, BIRDS)
        assert (copy.judgments, copy.photographs) == (None, True)


def test_a_folder_may_hold_psizs_own_files_and_the_one_with_sessions_is_read(tmp_path: Path, photographs: Path) -> None:
    catalog = write_hdf5_catalog(tmp_path / "catalog.hdf5")
    write_hdf5(tmp_path / "obs_a.hdf5", STUDY, modern=False)
    modern = write_hdf5(tmp_path / "obs_b.hdf5", STUDY, modern=True)
    copy = inspect_copy(tmp_path, BIRDS)
    assert (copy.judgments, copy.photographs) == ((modern, catalog), True)


def test_a_copy_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CopyError, match=r"no judgments .* and no photographs"):
        inspect_copy(tmp_path / "empty", BIRDS)
    with pytest.raises(ArchiveError, match="a zip archive, but truncated"):
        inspect_copy(write(tmp_path / "cut.zip", b"PK\x03\x04"), BIRDS)
    with pytest.raises(KindError, match=r"absent\.zip: no such file"):
        inspect_copy(tmp_path / "absent.zip", BIRDS)


def test_a_copy_of_another_study_is_its_files_by_their_published_names(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "variables").mkdir()
    judgments = write(tmp_path / "data" / THINGS.judgments.name, b"image1\timage2\timage3\tchoice\n1\t2\t3\t1\n")
    names = write(tmp_path / "variables" / "unique_id.txt", b"aardvark\nabacus\naccordion\n")
    assert inspect_copy(tmp_path, THINGS) == Copy(tmp_path, (judgments, None), names)
    assert inspect_copy(judgments, THINGS) == Copy(judgments, (judgments, None))
    assert inspect_copy(names, THINGS) == Copy(names, names=names)
    assert inspect_copy(tmp_path / "variables", THINGS) == Copy(tmp_path / "variables", names=names)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CopyError, match=r"no judgments \(triplets_large_final_correctednc_correctedorder\.csv"):
        inspect_copy(tmp_path / "empty", THINGS)


def test_one_copy_holds_each_part(tmp_path: Path) -> None:
    names, other = Copy(tmp_path / "a", names=tmp_path / "a"), Copy(tmp_path / "b", names=tmp_path / "b")
    assert holding([names], "names") is names
    assert holding([names], "judgments") is None
    with pytest.raises(UsageError, match=r"names are in .*a, .*b: give one of them"):
        holding([names, other], "names")

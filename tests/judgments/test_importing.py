from __future__ import annotations

from pathlib import Path

import pytest

from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.formats import Format
from simtool.judgments.importing import catalogs_in, detect, import_judgments, observations_in
from simtool.kinds import KindError
from tests.studies import (
    Judgment,
    plain,
    write_csv,
    write_hdf5,
    write_hdf5_catalog,
    write_sequences,
    write_stimuli,
    zipped,
)

STUDY = [Judgment(0, (4, 9, 2), (0,)), Judgment(7, (5, 6, 8, 10), (0, 1))]


@pytest.fixture
def every_format(tmp_path: Path) -> dict[Format, list[Path]]:
    """One study in every format, under names that tell nothing."""
    folder = write_sequences(tmp_path / "folder", STUDY)
    (tmp_path / "zip").write_bytes(zipped(folder))
    return {
        Format.PSIZ_2018: [write_hdf5(tmp_path / "old", STUDY, modern=False)],
        Format.PSIZ_06: [write_hdf5(tmp_path / "new", STUDY, modern=True)],
        Format.PSIZ_JSON: [folder, tmp_path / "zip", folder / "train_seqs" / "seq_000.json"],
        Format.CSV: [write_csv(tmp_path / "text", STUDY)],
    }


def test_a_format_is_told_by_content(every_format: dict[Format, list[Path]]) -> None:
    for kind, sources in every_format.items():
        assert [detect(source) for source in sources] == [kind] * len(sources)


def test_every_format_gives_the_same_judgments(every_format: dict[Format, list[Path]], tmp_path: Path) -> None:
    catalog = write_hdf5_catalog(tmp_path / "catalog")
    read = {
        kind: plain(import_judgments(sources[0], kind, catalog).judgments.trials)
        for kind, sources in every_format.items()
    }
    for column in ("trial_id", "kind", "query", "references", "selected"):
        values = [[row[column] for row in rows] for rows in read.values()]
        assert values[1:] == values[:-1]


def test_a_catalog_is_asked_for_and_one_beside_the_file_is_suggested(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    with pytest.raises(JudgmentsError, match=r"say which images they are with --catalog \(a catalog of psiz"):
        import_judgments(path)
    catalog = write_hdf5_catalog(tmp_path / "catalog.hdf5")
    with pytest.raises(JudgmentsError, match=f"for example --catalog {catalog}"):
        import_judgments(path)


def test_catalogs_and_observations_of_a_folder_are_told_apart(tmp_path: Path) -> None:
    catalogs = [write_hdf5_catalog(tmp_path / "a.hdf5"), write_stimuli(tmp_path / "stimuli.txt")]
    old = write_hdf5(tmp_path / "b.hdf5", STUDY, modern=False)
    new = write_hdf5(tmp_path / "c.h5", STUDY, modern=True)
    write_csv(tmp_path / "triplets.csv", STUDY)
    (tmp_path / "damaged.hdf5").write_bytes(b"\x89HDF\r\n\x1a\nrest")
    assert catalogs_in(tmp_path) == catalogs
    assert observations_in(tmp_path) == [new, old]


def test_a_folder_of_other_things_says_what_could_be_imported_from_it(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match=r"no JSON sequences in it \(\*_seqs/\*\.json with a stimuli\.txt\)"):
        import_judgments(tmp_path)
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    with pytest.raises(JudgmentsError, match=f"import one of its files: {path}"):
        import_judgments(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "this is an empty file"),
        (b'{"data": [{"sequence": [', "this is .*truncated"),
        (b"{}", "this is a JSON file without keys, not judgments"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "this is a Git LFS pointer, which .*; git lfs pull",
        ),
    ],
)
def test_the_document_of_a_folder_that_is_no_sequence_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    write_sequences(tmp_path, STUDY)
    first, *_ = sorted(tmp_path.rglob("*.json"))
    first.write_bytes(content)
    with pytest.raises(JudgmentsError, match=f"^{first}: {complaint}"):
        import_judgments(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "this is an empty file"),
        (b"PAR1\0\0\0\0PAR1", "if it is a table of trials, it needs no import"),
        (b"PK\x03\x04 cut off", "this is a zip archive, but truncated"),
        (b"\x89PNG\r\n\x1a\n\0\xff", "an image \\(PNG\\), not judgments"),
        (b"id_1based,filepath\n1,a.jpg\n", "a catalog of stimuli, not judgments: give it as --catalog"),
        (b"some text\n", "the header should be query,reference_1"),
    ],
)
def test_what_is_no_judgments_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "source"
    path.write_bytes(content)
    with pytest.raises(JudgmentsError, match=complaint):
        import_judgments(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KindError, match=r"absent\.csv: no such file or folder"):
        import_judgments(tmp_path / "absent.csv")


def test_a_format_that_was_forced_is_held_to(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="not HDF5"):
        import_judgments(write_csv(tmp_path / "t.csv", STUDY), Format.PSIZ_06, write_stimuli(tmp_path / "stimuli.txt"))
    with pytest.raises(JudgmentsError, match=r"this is a file of psiz's observations \(HDF5\), not a CSV"):
        import_judgments(write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True), Format.CSV)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.judgments import formats
from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.catalog import catalogs_in
from simtool.judgments.formats import FORMATS, JudgmentFormat, Reading
from simtool.judgments.importing import import_judgments
from simtool.judgments.psiz.documents import observations_in
from simtool.kinds import Kind, KindError, What
from simtool.tables.trials import Trials
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
def every_format(tmp_path: Path) -> dict[str, list[Path]]:
    """One study in every format, under names that tell nothing."""
    folder = write_sequences(tmp_path / "folder", STUDY)
    (tmp_path / "zip").write_bytes(zipped(folder))
    return {
        "psiz-2018": [write_hdf5(tmp_path / "old", STUDY, modern=False)],
        "psiz-0.6": [write_hdf5(tmp_path / "new", STUDY, modern=True)],
        "psiz-json": [folder, tmp_path / "zip", folder / "train_seqs" / "seq_000.json"],
        "csv": [write_csv(tmp_path / "text", STUDY)],
    }


def test_a_format_is_told_by_content(every_format: dict[str, list[Path]], tmp_path: Path) -> None:
    catalog = write_hdf5_catalog(tmp_path / "catalog")
    for kind, sources in every_format.items():
        assert [import_judgments(source, catalog=catalog).format for source in sources] == [kind] * len(sources)


def test_every_format_gives_the_same_judgments(every_format: dict[str, list[Path]], tmp_path: Path) -> None:
    catalog = write_hdf5_catalog(tmp_path / "catalog")
    read = {
        kind: plain(import_judgments(sources[0], kind, catalog).judgments.trials)
        for kind, sources in every_format.items()
    }
    for column in ("trial_id", "kind", "query", "references", "selected"):
        values = [[row[column] for row in rows] for rows in read.values()]
        assert values[1:] == values[:-1]


class Survey:
    """A format of one trial, as a reader of JSON would be."""

    def recognises(self, source: Path, kind: Kind) -> bool:  # noqa: ARG002
        return "survey" in kind.keys

    def read(self, source: Path, catalog: Path | None) -> Reading:  # noqa: ARG002
        trials = Trials.build(["a", "b", "c"], ["2-choose-1"], np.array([0]), np.array([[1, 2]]), np.array([[0]]))
        return Reading(Judgments(trials), [source])


SURVEY = Survey()


def test_a_new_format_is_one_reader_and_one_entry_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = JudgmentFormat("survey", frozenset((What.JSON,)), f"{__name__}:SURVEY")
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, entry))
    source = tmp_path / "answers"
    source.write_text('{"survey": 1}')
    imported = import_judgments(source)
    assert (imported.format, imported.files, len(imported.judgments.trials)) == ("survey", [source], 1)
    assert import_judgments(source, "survey").format == "survey"
    source.write_text('{"other": 1}')
    with pytest.raises(JudgmentsError, match="a JSON file with the keys other, not judgments"):
        import_judgments(source)


def test_the_reader_of_every_format_is_found() -> None:
    assert all({"recognises", "read"} <= set(dir(entry.reader)) for entry in FORMATS)


def test_an_unknown_format_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(JudgmentsError, match="unknown format psiz: choose one of auto, psiz-2018, "):
        import_judgments(write_csv(tmp_path / "t.csv", STUDY), "psiz")


def test_a_catalog_is_asked_for_and_one_beside_the_file_is_suggested(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True)
    with pytest.raises(JudgmentsError, match=r"name their images with --catalog \(a catalog of psiz"):
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
            "this is a Git LFS pointer .*; git lfs pull",
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
        (b"PAR1\0\0\0\0PAR1", "if it is a table of trials, simtool score takes it"),
        (b"PK\x03\x04 cut off", "this is a zip archive, but truncated"),
        (b"\x89PNG\r\n\x1a\n\0\xff", "an image \\(PNG\\), not judgments"),
        (b"id_1based,filepath\n1,a.jpg\n", "this is a catalog of stimuli, not judgments; give it as --catalog"),
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
        import_judgments(write_csv(tmp_path / "t.csv", STUDY), "psiz-0.6", write_stimuli(tmp_path / "stimuli.txt"))
    with pytest.raises(JudgmentsError, match=r"this is a file of psiz's observations \(HDF5\), not a CSV"):
        import_judgments(write_hdf5(tmp_path / "obs.hdf5", STUDY, modern=True), "csv")


def test_the_documentation_has_a_row_for_every_format() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("|"))
    assert [entry.name for entry in FORMATS if f"`{entry.name}`" not in rows] == []

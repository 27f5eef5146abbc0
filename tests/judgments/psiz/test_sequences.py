from __future__ import annotations

import csv
import json
import math
import zipfile
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.catalog import Catalog, read_catalog
from simtool.judgments.importing import import_judgments
from simtool.judgments.psiz.documents import find_documents
from simtool.judgments.psiz.observations import read_observations
from simtool.judgments.psiz.sequences import read_sequences
from tests.studies import (
    IMAGES,
    Judgment,
    catch,
    expected,
    judgments,
    plain,
    sequence,
    timestep,
    write_sequences,
    zipped,
)

CATALOG = Catalog("catalog.csv", np.arange(1, 41), np.array(IMAGES, object))
STUDY = [Judgment(0, (4, 9, 2), (1,)), Judgment(7, (5, 6, 8, 10), (3, 0))]


def read(source: Path) -> Judgments:
    documents = find_documents(source)
    assert documents is not None
    return read_sequences(documents, CATALOG)


def single(folder: Path, document: str | bytes) -> Path:
    path = folder / "seq_a.json"
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    return path


@given(judgments(ranked=True))
@settings(max_examples=30, deadline=None)
def test_what_psiz_wrote_comes_back(study: list[Judgment]) -> None:
    with TemporaryDirectory() as folder:
        read_back = plain(read(write_sequences(Path(folder, "study"), study)).trials)
    for row, wanted in zip(read_back, expected(study), strict=True):
        assert row == wanted | {"session": row["session"]}


def test_the_selected_are_found_wherever_they_stand(tmp_path: Path) -> None:
    first, second = plain(read(single(tmp_path, sequence([timestep(judgment) for judgment in STUDY]))).trials)
    assert (first["kind"], first["selected"]) == ("3-choose-1", [1])
    assert (second["kind"], second["selected"]) == ("4-rank-2", [3, 0])
    assert second["references"] == [IMAGES[image] for image in (5, 6, 8, 10)]


def test_interactions_may_come_in_any_order(tmp_path: Path) -> None:
    step = timestep(STUDY[1])
    shuffled = timestep(STUDY[1], interactions=step["interactions"][::-1])
    ordered, reversed_ = plain(read(single(tmp_path, sequence([step, shuffled]))).trials)
    assert ordered | {"trial_id": 1} == reversed_


def test_catch_trials_and_questionnaires_are_left_out_and_the_others_keep_their_places(tmp_path: Path) -> None:
    feedback = {"kind": "questionnaire:feedback", "interactions": []}
    strange = {"kind": "sort:pile", "interactions": []}
    steps = [timestep(catch()), timestep(STUDY[0]), feedback, strange, strange, timestep(STUDY[1])]
    judgments = read(single(tmp_path, sequence(steps)))
    assert judgments.catch == 1
    assert judgments.passed_over == {"sort:pile": 2}
    assert judgments.notes == ("left out 1 questionnaire (questionnaire:feedback)",)
    assert judgments.trials.trial_id.tolist() == [1, 5]


def test_participant_session_weight_and_time_are_carried_over(tmp_path: Path) -> None:
    step = timestep(STUDY[0], response_time_ms=1234)
    (row,) = plain(read(single(tmp_path, sequence([step], "5a240a28", 17, grade=80))).trials)
    assert (row["participant"], row["session"], row["response_ms"]) == ("5a240a28", "17", 1234)
    assert row["weight"] == pytest.approx(0.8)


@pytest.mark.parametrize("unknown", [-1, None, "fast", float("nan"), True, 10**400])
def test_what_is_not_known_is_null(tmp_path: Path, unknown: Any) -> None:
    document = json.loads(sequence([timestep(STUDY[0], response_time_ms=unknown)]))
    document["data"][0]["grade"] = unknown
    del document["data"][0]["anonymous_id"]
    (row,) = plain(read(single(tmp_path, json.dumps(document))).trials)
    assert (row["participant"], row["weight"], row["response_ms"]) == (None, None, None)


@pytest.mark.parametrize("below", ["", "birds16_rank2019/"])
def test_a_zip_reads_as_its_folder_does(tmp_path: Path, below: str) -> None:
    folder = write_sequences(tmp_path / "study", STUDY)
    (folder / "train_seqs" / "._seq_000.json").write_bytes(b"\0AppleDouble")
    (tmp_path / "study.zip").write_bytes(zipped(folder, below))
    documents = find_documents(tmp_path / "study.zip")
    assert documents is not None
    assert documents.catalog().image_id.tolist() == [name.removeprefix("Bird/") for name in IMAGES]
    assert plain(read_sequences(documents, CATALOG).trials) == plain(read(folder).trials)
    assert documents.files == [tmp_path / "study.zip"]


def test_all_parts_of_a_study_are_read(tmp_path: Path) -> None:
    folder = write_sequences(tmp_path / "study", STUDY)
    (folder / "test_seqs").mkdir()
    (folder / "test_seqs" / "seq_c.json").write_text(sequence([timestep(STUDY[0])], "cleo"))
    (folder / "about.json").write_text("{}")
    assert read(folder).trials.participant.tolist() == ["cleo", "p", "p"]


def test_a_folder_of_documents_finds_the_catalog_above_it(tmp_path: Path) -> None:
    folder = write_sequences(tmp_path / "study", STUDY)
    for source in (folder / "train_seqs", folder / "train_seqs" / "seq_000.json"):
        documents = find_documents(source)
        assert documents is not None
        assert documents.catalog().number.size == 40


def test_a_missing_catalog_is_asked_for(tmp_path: Path) -> None:
    documents = find_documents(single(tmp_path, sequence([timestep(STUDY[0])])))
    assert documents is not None
    with pytest.raises(JudgmentsError, match=r"no stimuli\.txt found.*--catalog"):
        documents.catalog()


def test_where_there_are_no_documents_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "x.jpg").touch()
    (tmp_path / "photographs.zip").write_bytes(zipped(tmp_path / "photographs"))
    assert find_documents(tmp_path / "photographs") is None
    assert find_documents(tmp_path / "photographs.zip") is None


def _spoiled(**replaced: Any) -> str:
    return sequence([timestep(STUDY[0]), timestep(STUDY[1], **replaced)])


def _interactions(drop: str = "", **changed: str) -> list[dict[str, str]]:
    kept = [dict(entry) for entry in timestep(STUDY[1])["interactions"] if entry["kind"] != drop]
    for entry in kept:
        entry["detail"] = changed.get(entry["kind"].split(":")[1], entry["detail"])
    return kept


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"", "not JSON, or truncated"),
        (b'{"data": [', "not JSON, or truncated"),
        (b"\xff\xfe\xff", "not JSON, or truncated"),
        (b"[" * 100_000, "not JSON, or truncated"),
        (b"[]", "no list 'data'"),
        (b'{"data": {}}', "no list 'data'"),
        (b'{"data": [7]}', "no list 'sequence'"),
        (b'{"data": []}', "no ranking trials in its 1 documents"),
        (sequence(["step"]), "timestep 0: no text 'kind'"),  # type: ignore[list-item]
        (_spoiled(kind=5), "timestep 1: no text 'kind'"),
        (_spoiled(kind="rank:8rank2"), "timestep 1: rank:8rank2 needs references 0 to 7, it has 0, 1, 2, 3"),
        (_spoiled(kind="rank:4rank1"), "timestep 1: rank:4rank1 needs selections 0 to 0, it has 0, 1"),
        (_spoiled(interactions=None), "timestep 1: no list 'interactions'"),
        (_spoiled(interactions=_interactions("content:query")), "timestep 1: no content:query"),
        (_spoiled(interactions=_interactions("content:reference_1")), "needs references 0 to 3, it has 0, 2, 3"),
        (_spoiled(interactions=_interactions("behavior:rank_0")), "needs selections 0 to 1, it has 1"),
        (_spoiled(interactions=_interactions(rank_0="PZ0010000001")), "a selection is not among the references"),
        (_spoiled(interactions=_interactions(rank_0="PZ0010000006")), "selects a reference twice"),
        (_spoiled(interactions=_interactions(reference_1="PZ0010000006")), "shows a reference twice"),
        (_spoiled(interactions=_interactions(query="NA")), "timestep 1: 'NA' is not a stimulus"),
        (_spoiled(interactions=_interactions(query="PZ00100000é1")), "is not a stimulus"),
        (_spoiled(interactions=_interactions(query="PZ0040000001")), "PZ0040000001 is not of set PZ001"),
        (
            _spoiled(interactions=_interactions(query="PZ0010000015")),
            r"timestep 1 shows a stimulus that is not in catalog\.csv",
        ),
        (
            _spoiled(interactions=_interactions(query="PZ001ZZZZZZZ")),
            r"timestep 1 shows a stimulus that is not in catalog\.csv",
        ),
        (sequence([timestep(STUDY[0])], participant="\ud800x"), "anonymous_id has half a character"),
        (sequence([{"sort": {"deep": []}}]), "timestep 0: no text 'kind' in an object with sort"),
        (b'{"data": [{"sequence": [{"kind": ' + b"[" * 900 + b"]" * 900 + b"}]}]}", "no text 'kind' in an object with"),
        (sequence([timestep(catch())]), "1 catch trial and no other"),
    ],
)
def test_a_malformed_document_is_refused_with_its_timestep(
    tmp_path: Path, document: str | bytes, complaint: str
) -> None:
    path = single(tmp_path, document)
    with pytest.raises(JudgmentsError, match=complaint) as failure:
        read(path)
    assert str(failure.value).startswith(f"{path}: ")
    assert "\n" not in str(failure.value)


def test_a_timestep_in_which_nothing_was_chosen_is_a_trial_without_an_answer(tmp_path: Path) -> None:
    silent = [entry for entry in timestep(STUDY[1])["interactions"] if not entry["kind"].startswith("behavior:rank")]
    steps = [timestep(STUDY[0]), timestep(STUDY[1], interactions=silent), timestep(STUDY[1])]
    judgments = read(single(tmp_path, sequence(steps)))
    assert judgments.unanswered == 1
    assert judgments.trials.trial_id.tolist() == [0, 2]


@pytest.mark.parametrize(("participant", "name"), [(7, "7"), (None, None), ("", None), (math.nan, None), ([], None)])
def test_a_participant_is_text_or_nobody(tmp_path: Path, participant: Any, name: str | None) -> None:
    assert read(single(tmp_path, sequence([timestep(STUDY[0])], participant))).trials.participant.tolist() == [name]


def test_a_sequence_in_two_documents_is_refused(tmp_path: Path) -> None:
    folder = write_sequences(tmp_path / "study", STUDY)
    content = (folder / "train_seqs" / "seq_000.json").read_text()
    (folder / "train_seqs" / "seq_copy.json").write_text(content)
    with pytest.raises(JudgmentsError, match=r"seq_copy\.json: sequence 0 of participant p is also in .*seq_000\.json"):
        read(folder)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(write_sequences(tmp_path / "study", STUDY)))
    content[60:64] = b"\0\0\0\0"
    (tmp_path / "study.zip").write_bytes(content)
    documents = find_documents(tmp_path / "study.zip")
    assert documents is not None
    with pytest.raises(JudgmentsError, match="a damaged zip"):
        list(documents.read([*documents.names, "stimuli.txt"]))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_is_refused_wherever_a_byte_of_it_is_changed_and_matters(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("seq_a.json", sequence([timestep(judgment) for judgment in STUDY]))
    whole, content = plain(read(path).trials), path.read_bytes()
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        assert _read_if_whole(path) in (None, whole)


def _read_if_whole(path: Path) -> list[dict[str, Any]] | None:
    try:
        documents = find_documents(path)
        return plain(read_sequences(documents, CATALOG).trials) if documents else None
    except JudgmentsError:
        return None


def test_a_member_without_a_name_is_left_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr("?nameless", "nothing")
        archive.writestr("seq_a.json", sequence([timestep(STUDY[0])]))
    # Python ends a name at a null character.
    (tmp_path / "study.zip").write_bytes((tmp_path / "study.zip").read_bytes().replace(b"?name", b"\0name"))
    assert len(read(tmp_path / "study.zip").trials) == 1


def test_a_zip_with_a_document_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for name in "ab":
            archive.writestr(f"seq_{name}.json", sequence([timestep(STUDY[0])]))
    (tmp_path / "study.zip").write_bytes((tmp_path / "study.zip").read_bytes().replace(b"seq_b", b"seq_a"))
    with pytest.raises(JudgmentsError, match=r"the zip has seq_a\.json twice"):
        read(tmp_path / "study.zip")


def test_an_encrypted_zip_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    path.write_bytes(zipped(write_sequences(tmp_path / "study", STUDY)))
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(mark, place + 4)
    path.write_bytes(content)
    with pytest.raises(JudgmentsError, match="its documents are encrypted: unpack it"):
        read(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simtool.judgments.psiz.documents.MOST_BYTES", 1_000_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("seq_a.json", bytes(2_000_000))
    with pytest.raises(JudgmentsError, match=r"bomb\.zip: seq_a\.json: 2,000,000 bytes are too large"):
        read(tmp_path / "bomb.zip")


def test_the_sample_of_birds16_holds_what_the_hdf5_file_holds(birds16: Path) -> None:
    catalog = read_catalog(birds16 / "catalog.csv")
    documents = find_documents(birds16 / "raw_sample")
    assert documents is not None
    sample = read_sequences(documents, catalog)
    assert (len(sample.trials), sample.catch, dict(sample.passed_over)) == (54, 6, {})
    everything = read_observations(birds16 / "obs_v0.6.0.hdf5", catalog).trials
    same = everything.take(np.isin(np.array(everything.session.tolist()), ["7", "10"]))
    for one, other in zip(plain(sample.trials), plain(same), strict=True):
        for column in ("kind", "query", "references", "selected", "session"):
            assert one[column] == other[column]
        assert one["response_ms"] == pytest.approx(other["response_ms"], abs=1)


def test_compressed_documents_are_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = write_sequences(tmp_path / "study", STUDY)
    (folder / "train_seqs" / "more.json.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "study.zip").write_bytes(zipped(folder))
    for source in (folder, tmp_path / "study.zip"):
        with pytest.raises(JudgmentsError, match=r"compressed documents: .*more\.json\.gz; unpack them with gunzip"):
            find_documents(source)


def test_the_folders_of_splits_become_a_column(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}_seqs").mkdir()
        single(tmp_path / f"{split}_seqs", sequence([timestep(STUDY[0])], participant=split))
    trials = read(tmp_path).trials
    assert trials.extra["split"].to_pylist() == trials.participant.tolist() == ["test", "train"]
    assert read(tmp_path / "test_seqs").trials.extra == {}


def test_the_sample_has_its_expected_trials(formats: Path) -> None:
    folder = formats / "psiz-datasets"
    judgments = import_judgments(folder).judgments
    with (folder / "expected.csv").open() as file:
        wanted = list(csv.DictReader(file))
    assert judgments.catch == sum(row["catch"] == "1" for row in wanted)
    for row, text in zip(plain(judgments.trials), (row for row in wanted if row["catch"] == "0"), strict=True):
        names = [PurePath(image).stem for image in (row["query"], *row["references"])]
        assert names == [text["query"], *text["references"].split("|")]
        assert [names[1 + place] for place in row["selected"]] == text["chosen_in_order"].split("|")
        assert row["weight"] == float(text["weight"])

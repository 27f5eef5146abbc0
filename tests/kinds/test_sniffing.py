"""The kind of a file follows from its content, not from its name or its first byte."""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from simtool.kinds import Kind, KindError, Text, What, kind_of, kind_of_content
from tests.kinds.samples import LFS_POINTER, SAMPLES, hdf5, tarred, zipped

NAMES = pytest.mark.parametrize("name", SAMPLES)


@NAMES
@pytest.mark.parametrize("suffix", ["", ".csv", ".parquet", ".hdf5", ".json", ".keras"])
def test_a_file_keeps_its_kind_under_any_name(tmp_path: Path, name: str, suffix: str) -> None:
    what, content = SAMPLES[name]
    (tmp_path / f"renamed{suffix}").write_bytes(content)
    kind = kind_of(tmp_path / f"renamed{suffix}")
    assert (kind.what, kind.damage) == (what, "")


def test_there_is_a_sample_of_every_kind_of_file() -> None:
    folders = {what for what in What if what.name.endswith("FOLDER")}
    assert {what for what, _ in SAMPLES.values()} == set(What) - folders


@NAMES
def test_content_in_memory_has_the_kind_of_its_file(name: str) -> None:
    what, content = SAMPLES[name]
    assert kind_of_content(content).what is what


#: For kinds that are recognised when cut off: the smallest number of bytes that is recognised, and the number of last
#: bytes whose absence is not detected.
CUT = {
    "table.parquet": (4, 0),
    "table.feather": (6, 0),
    "file.arrow": (6, 0),
    "array.npy": (6, 0),
    "arrays.npz": (60, 0),
    "survey.json": (12, 0),
    "sequence.json": (40, 0),
    "trials.jsonl": (16, 1),
    "workbook.xlsx": (200, 0),
    "images.zip": (60, 0),
    "images.tar": (600, 10240 - 2 * 512 - 2 * 1024 - 511),
    "images.tgz": (60, 0),
    "judgments.csv.gz": (12, 0),
    "model.keras": (90, 0),
    "model.pt": (60, 0),
    "model.onnx": (20, 5),
    "rdms.pkl": (8, 0),
    "image.jpeg": (20, 0),
    "image.png": (20, 0),
    "image.gif": (20, 0),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_file_that_is_cut_off_is_a_truncated_one_of_its_kind(name: str, share: float) -> None:
    what, content = SAMPLES[name]
    least, needless = CUT[name]
    kind = kind_of_content(content[: round(least + share * (len(content) - needless - 1 - least))])
    # Of an archive's or a document's beginning, not all is known that is known of the whole.
    known = {What.PSIZ_JSON: What.JSON, What.TAR_GZ: What.GZIP, What.XLSX: What.ZIP}
    assert kind.damage.startswith("truncated"), kind
    assert kind.what in (what, known.get(what))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_hdf5_file_is_one(share: float) -> None:
    content = hdf5({"stimulus_set": [[1, 2, 3]] * 1000})
    kind = kind_of_content(content[: round(share * len(content))])
    assert (kind.what, kind.damage.split(":")[0]) == (What.HDF5, "truncated")


@pytest.mark.parametrize("size", range(8, 100, 7))
def test_the_first_bytes_of_an_hdf5_file_are_a_damaged_one(size: int) -> None:
    kind = kind_of_content(hdf5({"a": [1]})[:size])
    assert kind.what is What.HDF5
    assert kind.damage


@pytest.mark.parametrize(
    ("place", "value"),
    [(b"a.jpg", None), (b"GCOL", b"JUNK"), (b"pointer", (50).to_bytes(4, "little"))],
    ids=["whole", "no heap", "a text longer than its entry"],
)
def test_texts_of_hdf5_must_lead_somewhere(place: bytes, value: bytes | None) -> None:
    content = bytearray(hdf5({"stimulus_id": [7], "stimulus_filepath": np.array(["a.jpg"], object)}))
    if value is None:
        assert kind_of_content(bytes(content)) == Kind(What.PSIZ_CATALOG, keys=("stimulus_filepath", "stimulus_id"))
        return
    # A pointer is a length of 4 bytes, the address of the heap, and a number there.
    at = content.index(_pointer(content) if place == b"pointer" else place)
    content[at : at + len(value)] = value
    kind = kind_of_content(bytes(content))
    assert (kind.what, kind.damage) == (What.HDF5, "damaged: the texts of stimulus_filepath cannot be found")


def _pointer(content: bytes | bytearray) -> bytes:
    return struct.pack("<IQI", len("a.jpg"), content.index(b"GCOL"), 1)


@pytest.mark.parametrize(
    ("content", "what", "damage"),
    [
        (b"PAR1" + struct.pack("<I", 99) + b"PAR1", What.PARQUET, "damaged: its footer is longer than the file"),
        (bytes(40) + struct.pack("<I", 9) + b"PAR1", What.PARQUET, "damaged: its beginning is overwritten"),
        (b"PARE" + bytes(40) + b"PARE", What.PARQUET, "encrypted"),
        (b"\x93NUMPY\1\0\x04\0oops", What.NPY, "damaged: its header cannot be read"),
        (b'{"a": 1,\n "b": oopsie}', What.JSON, "malformed at line 2: Expecting value"),
        (b"[" * 100_000 + b"]" * 100_000, What.JSON, "nested too deeply"),
        (gzip.compress(b"x" * 999, mtime=0)[:-8] + bytes(8), What.GZIP, "damaged: it cannot be unpacked"),
        (tarred(("a", b"x"))[:1024] + b"x" * 1024, What.TAR, "damaged between two members"),
        (zipped(("metadata.json", b"{}"), ("config.json", b"{}")), What.KERAS, "incomplete: it lacks model.weights.h5"),
        (
            zipped(("a.csv", b"x")).replace(b"PK\1\2", b"PK\1\3"),
            What.ZIP,
            "damaged: the list of its members cannot be read",
        ),
    ],
)
def test_damage_is_named(content: bytes, what: What, damage: str) -> None:
    assert (kind_of_content(content).what, kind_of_content(content).damage) == (what, damage)


WORD = st.text("abcäß_01", min_size=1, max_size=8)


@given(
    rows=st.integers(2, 6).flatmap(lambda width: st.lists(st.lists(WORD, min_size=width, max_size=width), min_size=2)),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"]),
)
def test_how_a_table_is_written_is_told(rows: list[list[str]], delimiter: str, newline: str, encoding: str) -> None:
    rows = [["ü", *rows[0][1:]], *rows[1:]]  # else ASCII, which is UTF-8 as well
    content = (newline.join(delimiter.join(row) for row in rows) + newline).encode(encoding)
    if encoding == "latin-1":
        assume(sum(byte > 0x7E for byte in content) < 0.3 * len(content))  # else it can be any encoding
    kind = kind_of_content(content)
    assert kind == Kind(What.CSV, "", kind.detail, tuple(rows[0]), Text(encoding, delimiter))


def test_a_text_with_many_bytes_beyond_ascii_is_of_unknown_encoding() -> None:
    assert kind_of_content("ü,ß\nß,ß\n".encode("latin-1")).what is What.OTHER
    assert kind_of_content("größe,ä\nabc,ß\n".encode("latin-1")).what is What.CSV


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("judgments.csv", "a CSV (first line: query, reference_1, reference_2, selected_1)"),
        ("utf16.csv", "a CSV in UTF-16 (first line: query, reference_1)"),
        ("judgments.tsv", "a CSV with tabs between cells (first line: query, reference_1)"),
        ("excel.csv", "a CSV with ; between cells (first line: query, reference_1)"),
        ("survey.json", "a JSON file with the keys status, trials"),
        ("list.json", "a JSON file that lists 2 objects with the keys stimulus"),
        ("trials.jsonl", "a JSON-lines file with the keys trial"),
        ("arrays.npz", "a NumPy archive (.npz) of image_id, embedding"),
        ("array.npy", "a NumPy array (.npy) of shape (3, 4)"),
        ("objects.npy", "a NumPy array (.npy) of shape (1) of Python objects"),
        ("other.hdf5", "an HDF5 file that holds waves"),
        ("images.zip", "a zip archive of 2 .jpg"),
        ("judgments.csv.gz", "a gzipped file (of a CSV)"),
        ("image.png", "an image (PNG)"),
        ("noise.bin", "a file of unknown kind (its first bytes are 80 81 82 83 84 85 86 87)"),
    ],
)
def test_a_kind_has_words(name: str, words: str) -> None:
    assert kind_of_content(SAMPLES[name][1]).description == words


def test_a_long_document_of_psiz_is_told_by_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps({"version": "1", "data": [{"sequence_id": "a", "sequence": ["x" * 100] * 2000}]}).encode()
    assert kind_of_content(content).what is What.PSIZ_JSON
    monkeypatch.setattr("simtool.kinds.texts.WHOLE_JSON", 100_000)
    assert kind_of_content(content).what is What.PSIZ_JSON


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


SEQUENCE = SAMPLES["sequence.json"][1]


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({}, What.EMPTY_FOLDER),
        ({"notes.md": b"x"}, What.FOLDER),
        ({"model.json": b'{"kind": "pca"}', "components.npy": b"x"}, What.MODEL_FOLDER),
        ({"model.json": b'{"modelTopology": {}}', "group1-shard1of1.bin": b"x"}, What.FOLDER),
        ({"checkpoints/step-000000001.npz": b"x", "log.jsonl": b"x"}, What.TRAINING_FOLDER),
        ({"part-00000-of-00002.parquet": b"x"}, What.PARQUET_FOLDER),
        ({"split=train/0.parquet": b"x", "split=test/0.parquet": b"x"}, What.PARQUET_FOLDER),
        ({"images/a.jpg": b"x", "images/deep/b.PNG": b"x"}, What.IMAGE_FOLDER),
        ({"stimuli.txt": b"x", "train_seqs/s.json": SEQUENCE}, What.PSIZ_FOLDER),
        ({"s.json": SEQUENCE}, What.PSIZ_FOLDER),
        ({"survey.json": b'{"trials": []}'}, What.FOLDER),
        ({"images.txt": b"x", "classes.txt": b"x", "images/001/a.jpg": b"x"}, What.CUB_FOLDER),
        ({"dataset_spec.pb": b"x", "snapshot.metadata": b"x", "1/00000000.shard/a.snapshot": b"x"}, What.TFDATA_FOLDER),
        (dict.fromkeys(("ref/a.png", "p0/a.png", "p1/a.png", "judge/a.npy"), b"x"), What.BAPPS_FOLDER),
        (dict.fromkeys([f"2afc/val/cnn/{name}/a" for name in ("ref", "p0", "p1", "judge")], b"x"), What.BAPPS_FOLDER),
        (dict.fromkeys([f"jnd/val/cnn/{name}/a" for name in ("p0", "p1", "same")], b"x"), What.BAPPS_FOLDER),
        (dict.fromkeys(("ref/a.png", "p0/a.png", "p1/a.png"), b"x"), What.IMAGE_FOLDER),
        ({"saved_model.pb": b"x", "variables/variables.index": b"x"}, What.SAVED_MODEL),
        ({"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b"x"}, What.KERAS_FOLDER),
        ({"checkpoint": b"x", "ckpt-1.index": b"x", "ckpt-1.data-00000-of-00001": b"x"}, What.CHECKPOINT_FOLDER),
        ({"config.json": b"{}", "model.safetensors": b"x"}, What.TRANSFORMERS_FOLDER),
        ({"file_names.txt": b"a.jpg", "fc/features.npy": b"x"}, What.FEATURES_FOLDER),
        (
            {"dataset_info.json": b"{}", "features.json": b"{}", "d-train.tfrecord-00000-of-00001": b"x"},
            What.TFDS_FOLDER,
        ),
        ({"dataset_info.json": b"{}", "data-00000-of-00001.arrow": b"x"}, What.ARROW_FOLDER),
        ({".hidden": b"x"}, What.EMPTY_FOLDER),
    ],
)
def test_folders_are_told_by_what_is_in_them(tmp_path: Path, files: dict[str, bytes], what: What) -> None:
    assert kind_of(filled(tmp_path, files)).what is what


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KindError, match="a pipe, not a file; write its content to a file"):
        kind_of(tmp_path / "pipe")


def test_sockets_and_devices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as opened, pytest.raises(KindError, match="a socket, not a file"):
        opened.bind("socket")
        kind_of(Path("socket"))
    with pytest.raises(KindError, match="a device, not a file"):
        kind_of(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["absent", "pointer/below", "nul\0character", "x" * 300])
def test_what_is_not_there_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "pointer").write_bytes(LFS_POINTER)
    with pytest.raises(KindError, match=r"no such file or folder|File name too long"):
        kind_of(tmp_path / name)


def test_a_folder_that_may_not_be_read_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may read everything
    with pytest.raises(KindError, match="Permission denied"):
        kind_of(tmp_path)


def test_a_dangling_link_names_its_target(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("elsewhere.csv")
    (tmp_path / "b.csv").symlink_to("../.git/annex/objects/x/y.csv")
    with pytest.raises(KindError, match=r"a link to elsewhere\.csv, which does not exist$"):
        kind_of(tmp_path / "a.csv")
    with pytest.raises(KindError, match=r"which does not exist; git annex get fetches it"):
        kind_of(tmp_path / "b.csv")


def test_a_circle_of_links_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(KindError):
        kind_of(tmp_path / "a")


@pytest.mark.parametrize(
    "name", ["table.parquet", "survey.json", "judgments.csv", "images.zip", "images.tgz", "images.tar"]
)
def test_only_a_part_of_a_large_file_is_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / "large"
    file.write_bytes(SAMPLES[name][1])
    os.truncate(file, 1 << 40)  # a hole of a tebibyte takes no room
    assert kind_of(file).what in (SAMPLES[name][0], What.OTHER)


@pytest.mark.parametrize("version", ["earliest", "latest"])
@pytest.mark.parametrize("width", [4, 8])
def test_an_hdf5_file_of_any_layout_is_whole_until_it_is_cut(tmp_path: Path, version: str, width: int) -> None:
    import h5py

    create, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    create.set_sizes(width, width)
    if version == "latest":
        access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    path = tmp_path / "file.hdf5"
    with h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, fcpl=create, fapl=access)) as file:
        file["waves"] = np.arange(100.0)
    assert (kind_of(path).what, kind_of(path).damage) == (What.HDF5, "")
    content = path.read_bytes()
    for kept in (12, 47, 60, len(content) - 1):
        assert kind_of_content(content[:kept]).damage


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(bytes(1 << 27), 1)
    assert kind_of_content(packed * 50).what is What.GZIP
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.json", b'{"a":"' + b" " * (1 << 27) + b'"}')
    assert kind_of(tmp_path / "bomb.zip").what is What.ZIP


def told(content: bytes) -> Kind:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        kind = kind_of(Path(file.name))
    assert kind.description
    assert kind == kind_of_content(content)
    return kind


BEGINNINGS = st.sampled_from(sorted({content[:12] for _, content in SAMPLES.values()}))


@settings(deadline=5000)
@given(st.binary(max_size=2000))
@example(b"\x08\x07" + b"\xff" * 12)
@example(b"PK\5\6" + b"\xff" * 18)
def test_any_bytes_have_a_kind(content: bytes) -> None:
    told(content)


@settings(deadline=5000)
@given(BEGINNINGS, st.binary(max_size=600))
def test_any_bytes_behind_a_known_beginning_have_a_kind(start: bytes, rest: bytes) -> None:
    told(start + rest)


@settings(deadline=5000, max_examples=400, suppress_health_check=[HealthCheck.large_base_example])
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_a_file_with_changed_and_missing_bytes_has_a_kind(
    name: str, changes: list[tuple[float, int]], kept: float
) -> None:
    content = bytearray(SAMPLES[name][1])
    for place, value in changes:
        if content:
            content[int(place * len(content))] = value
    told(bytes(content[: round(kept * len(content))]))

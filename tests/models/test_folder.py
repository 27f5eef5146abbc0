from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.folder import (
    Manifest,
    check_weights,
    completed_folder,
    describe_model,
    model_folder,
    occupied,
    read_manifest,
    write_manifest,
)
from simtool.models.registry import load_model
from simtool.system.lock import LockedError
from simtool.tables.provenance import Provenance, sha256_of

ORIGIN = Provenance.of(["fit-pca", "images.parquet"], [])


def written(folder: Path, **files: bytes) -> Manifest:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    hashes = {name: sha256_of(folder / name) for name in files}
    study = named_preprocessing("study")
    manifest = Manifest("net", "Net 5", study, hashes, ("logits", "final"), {"width": 5}, ORIGIN)
    write_manifest(folder, manifest)
    return manifest


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    manifest = written(tmp_path / "model", a=b"1", b=b"2")
    assert read_manifest(tmp_path / "model") == manifest
    check_weights(tmp_path / "model", manifest)


def test_model_json_says_what_the_contract_asks_for(tmp_path: Path) -> None:
    manifest = written(tmp_path / "model", a=b"1")
    content = json.loads((tmp_path / "model" / "model.json").read_text())
    assert content["kind"] == "net"
    assert content["preprocessing"]["name"] == "study"
    assert content["layers"] == ["logits", "final"]
    assert content["command"] == ["fit-pca", "images.parquet"]
    assert content["created_by"].startswith("simtool ")
    assert content["sha256"] == manifest.digest


def test_the_digest_is_that_of_the_only_file_or_of_the_list_that_sha256sum_prints(tmp_path: Path) -> None:
    one, two = hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()
    assert written(tmp_path / "model", a=b"1").digest == one
    both = hashlib.sha256(f"{one}  a\n{two}  b\n".encode()).hexdigest()
    assert written(tmp_path / "model", b=b"2", a=b"1").digest == both


def test_changed_and_missing_weights_are_named(tmp_path: Path) -> None:
    manifest = written(tmp_path / "model", a=b"1", b=b"2")
    (tmp_path / "model" / "a").write_bytes(b"3")
    with pytest.raises(ModelError, match=r"model/a: SHA-256 .* is not the"):
        check_weights(tmp_path / "model", manifest)
    (tmp_path / "model" / "a").unlink()
    with pytest.raises(ModelError, match="model/a: missing"):
        check_weights(tmp_path / "model", manifest)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": None}, "does not state the kind"),
        ({"version": 2}, "version 2 of the model folder; this program reads up to 1"),
        ({"version": None}, "version None"),
        ({"weights": ["a"]}, "weights should be an object"),
        ({"weights": {"a": 5}}, "weights should be an object"),
        ({"weights": {"../a": "5"}}, r"in the model folder itself, not at \.\./a"),
        ({"weights": {"/etc/passwd": "5"}}, "not at /etc/passwd"),
        ({"weights": {"..": "5"}}, "not at"),
        ({"layers": "final"}, "layers should be a list"),
        ({"settings": 3}, "settings an object"),
        ({"preprocessing": "study"}, "preprocessing should be an object"),
    ],
)
def test_a_manifest_from_elsewhere_is_checked(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    written(tmp_path, a=b"1")
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=complaint):
        read_manifest(tmp_path)


def test_a_pipe_is_no_manifest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(ModelError, match=r"model\.json: not a file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00", "[" * 100_000])
def test_a_damaged_manifest_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ModelError, match=r"model\.json: (damaged|it does not state)"):
        read_manifest(tmp_path)


def test_what_is_no_model_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file or folder"):
        load_model(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"not a model folder of simtool; a model folder has a model\.json"):
        load_model(tmp_path)
    (tmp_path / "notes.txt").write_text("of a model")
    with pytest.raises(ModelError, match="this is a text file, not a model folder of simtool"):
        load_model(tmp_path / "notes.txt")


def test_an_unknown_kind_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    written(tmp_path, a=b"1")
    with pytest.raises(ModelError, match=r"unknown kind of model net; this program knows .*pca"):
        load_model(tmp_path)


def test_a_description_sums_up(tmp_path: Path) -> None:
    manifest = written(tmp_path, a=b"1")
    description = describe_model(tmp_path)
    facts = dict(description.facts)
    assert description.kind == "net"
    assert description.provenance == ORIGIN
    assert facts["layers"] == "logits, final"
    assert facts["width"] == "5"
    assert manifest.digest in facts["weights"]


def test_a_description_states_settings_in_words(tmp_path: Path) -> None:
    group = {"layerwise_decay": 0.5, "pretrained": False, "recipe": None}
    settings = {"config": group, "images": 11788, "classes": ["a", "b", "c", "d", "e"], "names": [], "x": {"y": [{}]}}
    (tmp_path / "a").write_bytes(b"1")
    write_manifest(
        tmp_path,
        Manifest("net", "net 1", named_preprocessing("study"), {"a": sha256_of(tmp_path / "a")}, settings=settings),
    )
    facts = describe_model(tmp_path).facts
    assert facts[2:-2] == (
        ("layerwise decay", "0.5"),
        ("pretrained", "no"),
        ("recipe", "none"),
        ("images", "11,788"),
        ("classes", "5: a, b, c and 2 more"),
        ("names", "none"),
        ("y", "1: {}"),
    )


def test_a_model_replaces_a_model_but_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "model"
    for weights in (b"1", b"2"):
        with model_folder(out, "fit-pca") as folder:
            written(folder, a=weights)
    assert (out / "a").read_bytes() == b"2"
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "a.jpg").touch()
    with (
        pytest.raises(ModelError, match="this folder holds other files"),
        model_folder(tmp_path / "photographs", "fit-pca"),
    ):
        pass
    assert (tmp_path / "photographs" / "a.jpg").exists()


def test_a_failure_leaves_the_older_model(tmp_path: Path) -> None:
    with model_folder(tmp_path / "model", "fit-pca") as folder:
        written(folder, a=b"1")
    with pytest.raises(RuntimeError, match="in the middle"), model_folder(tmp_path / "model", "fit-pca") as folder:
        (folder / "a").write_bytes(b"half")
        raise RuntimeError("in the middle")
    assert (tmp_path / "model" / "a").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_job_waits_for_the_process_that_is_in_its_model_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the same job before it was put back into the queue."""
    entered, left = threading.Event(), threading.Event()

    def work() -> None:
        with occupied(tmp_path / "model", "train-glow"):
            entered.set()
            left.wait(0.5)

    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    worker = threading.Thread(target=work)
    worker.start()
    assert entered.wait(5)
    with pytest.raises(LockedError, match="model is in use by train-glow"), occupied(tmp_path / "model", "train-glow"):
        pass
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with occupied(tmp_path / "model", "train-glow"):
        pass
    worker.join()
    assert "model is in use by train-glow" in " ".join(capsys.readouterr().err.split())


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".model.0a1b2c3d.tmp").mkdir()
    (tmp_path / ".model.0a1b2c3d.tmp" / "weights.npz").touch()
    (tmp_path / "model-before.json").touch()
    with completed_folder(tmp_path) as folder:
        written(folder, a=b"1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "model.json"]

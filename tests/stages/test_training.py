"""Networks are trained from Python, and a training resumes only with the same images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simtool import stages
from simtool.errors import SimtoolError
from simtool.models.flows.glow.presets import PRESETS
from simtool.stages.training import identity_of
from simtool.tables.images import read_images
from simtool.tables.provenance import sha256_of
from simtool.training.folder import TRAINING
from tests.photographs import write_table


def test_a_training_resumes_after_the_table_of_the_same_images_was_written_again(tmp_path: Path) -> None:
    images = write_table(tmp_path, 3)
    first, before = identity_of(images, read_images(images), tmp_path / "model"), images.read_bytes()
    images.write_bytes(before[:-8].replace(b'"created_at": "2', b'"created_at": "1') + before[-8:])
    assert images.read_bytes() != before
    assert identity_of(images, read_images(images), tmp_path / "model") == first


def test_a_training_does_not_resume_with_another_image_or_class(tmp_path: Path) -> None:
    images = write_table(tmp_path, 3, class_name=["x", "x", "y"])
    first = identity_of(images, read_images(images), tmp_path / "model")
    write_table(tmp_path, 3, class_name=["x", "y", "y"])
    assert identity_of(images, read_images(images), tmp_path / "model") != first
    write_table(tmp_path, 3, class_name=["x", "x", "y"])
    assert identity_of(images, read_images(images), tmp_path / "model") == first
    photograph = bytearray((tmp_path / "photographs" / "1.jpg").read_bytes())
    photograph[-10] ^= 1
    (tmp_path / "photographs" / "1.jpg").write_bytes(photograph)
    assert identity_of(images, read_images(images), tmp_path / "model") != first


def test_a_training_that_knows_the_hash_of_its_table_resumes_with_that_table(tmp_path: Path) -> None:
    images, folder = write_table(tmp_path, 3), tmp_path / "model" / TRAINING
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"table": sha256_of(images)}))
    assert identity_of(images, read_images(images), tmp_path / "model") == sha256_of(images)
    (folder / "settings.json").write_text(json.dumps({"table": "another"}))
    assert identity_of(images, read_images(images), tmp_path / "model") != sha256_of(images)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 12 images of two classes."""
    folder = tmp_path_factory.mktemp("home")
    return write_table(folder, 12, class_id=[3, 9] * 6, class_name=["wren", "robin"] * 6)


def test_a_training_says_that_its_time_is_up(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages.train_resnet(images, out=tmp_path / "model", preset="tiny", batch_size=4, max_minutes=1e-6)
    told = capsys.readouterr().err
    assert "epoch 1 of 1, " in told
    assert "; the time of --max-minutes is up\n" in told


def test_a_classifier_is_trained_and_loaded_from_python(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices: dict[str, Any] = {"preset": "tiny", "size": 8, "batch_size": 4, "epochs": 2, "validation": "0.3"}
    trained = stages.train_resnet(images, tmp_path / "resnet", **choices)
    assert (trained.path, trained.result.reason, trained.result.epochs) == (tmp_path / "resnet", "epochs", 2)
    assert trained.model.output("logits").dimension == 2
    command = json.loads((tmp_path / "resnet" / "model.json").read_text())["command"]
    assert command[0] == "stages.train_resnet"
    assert "epochs=2" in command
    monkeypatch.chdir(images.parent)
    again = stages.train_resnet(read_images(images), tmp_path / "resnet", **choices, restart=False)
    assert again.result.new_steps == 0


def test_a_flow_is_trained_from_a_preset_object(images: Path, tmp_path: Path) -> None:
    tiny = PRESETS["tiny"]
    flow = replace(tiny.flow, size=8, levels=1, steps=1, width=2)
    preset = replace(tiny, flow=flow, settings=tiny.settings.changed(epochs=1, batch_size=4), initial_images=4)
    plan = stages.plan_glow(images, preset=preset, validation="0.3", bits=4)
    assert (plan.facts()["model"]["bits"], plan.facts()["training_images"]) == (4, 8)
    assert not list(tmp_path.iterdir())
    trained = stages.train_glow(images, tmp_path / "glow", preset=preset, validation="0.3", bits=4)
    assert trained.result.steps == 2
    (row,) = stages.sample(trained.model, temperatures=[0.7], columns=3)
    assert row.shape == (3, 8, 8, 3)


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"preset": "huge"}, "the presets are study, openai, small, tiny, not huge"),
        ({"levls": 2}, "no setting is called levls"),
        ({"classes": 2}, "classes cannot be changed; it follows from class_conditional or precision"),
    ],
)
def test_a_wrong_choice_is_refused(images: Path, choices: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SimtoolError, match=complaint):
        stages.plan_glow(images, **choices)

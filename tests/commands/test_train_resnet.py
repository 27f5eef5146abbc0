from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.models.registry import load_model
from simtool.system.lock import alone_in
from simtool.tables.embeddings import open_embeddings
from simtool.training.arrays import read_arrays, read_header, write_arrays
from simtool.training.checkpoints import Checkpoints
from tests.photographs import write_table

Simtool = Callable[..., Any]
COUNT = 12
#: A classifier that is trained in a moment.
SMALL = ("--preset", "tiny", "--size", "8", "--batch-size", "4", "--epochs", "2", "--validation", "0.3")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes and their table, and later a classifier; tests do not change them."""
    home = tmp_path_factory.mktemp("home")
    write_table(home, COUNT, class_id=[3, 9] * 6, class_name=["wren", "robin"] * 6, split=["train", "test"] * 6)
    return home


@pytest.fixture
def resnet(simtool: Simtool, home: Path) -> Path:
    """A classifier that was trained on them for two epochs."""
    if not (home / "resnet" / "model.json").exists():
        assert simtool("train-resnet", home / "images.parquet", "--out", home / "resnet", *SMALL).code == 0
    return home / "resnet"


def test_training_makes_a_model_folder_with_its_log(simtool: Simtool, home: Path, resnet: Path) -> None:
    shown = simtool("show", resnet)
    assert shown.code == 0
    assert shown.out.startswith(f"{resnet}: a valid model, kind classifier\n")
    rows = list(csv.DictReader((resnet / "training" / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    manifest = json.loads((resnet / "model.json").read_text())
    assert manifest["settings"]["classes"] == ["wren", "robin"]
    assert manifest["command"][:2] == ["train-resnet", str(home / "images.parquet")]


def test_its_layers_become_tables_in_one_pass(simtool: Simtool, home: Path, resnet: Path) -> None:
    outs = {layer: home / f"{layer}.parquet" for layer in ("penultimate", "logits", "final")}
    options = [part for layer, out in outs.items() for part in ("--layer", layer, "--out", out)]
    assert simtool("embed", home / "images.parquet", "--model", resnet, *options).code == 0
    vectors = {layer: open_embeddings(out).read() for layer, out in outs.items()}
    assert {layer: found.shape for layer, found in vectors.items()} == {
        "penultimate": (COUNT, 64),
        "logits": (COUNT, 2),
        "final": (COUNT, 2),
    }
    np.testing.assert_allclose(vectors["final"].sum(axis=1), 1, rtol=1e-5)
    assert open_embeddings(outs["final"]).info.name == "ResNet20 final"


def test_a_complete_training_is_left_as_it_is(simtool: Simtool, home: Path, resnet: Path) -> None:
    before = (resnet / "model.json").read_bytes()
    again = simtool("train-resnet", home / "images.parquet", "--out", resnet, *SMALL)
    assert again.code == 0
    assert (
        f"left   {resnet}: its training is complete; use more --epochs to continue it, --restart to "
        "train from the beginning" in again.err
    )
    assert (resnet / "model.json").read_bytes() == before


def test_two_trainings_cannot_use_one_folder(simtool: Simtool, home: Path, resnet: Path, tmp_path: Path) -> None:
    before = (resnet / "model.json").read_bytes()
    for out in (resnet, tmp_path / "new"):
        with alone_in(out, "train-glow"):
            ran = simtool("train-resnet", home / "images.parquet", "--out", out, *SMALL, "--restart")
        assert ran.code == 75
        assert f"{out} is in use by train-glow (process {os.getpid()} on " in " ".join(ran.err.split())
    assert (resnet / "model.json").read_bytes() == before


def test_more_epochs_continue_a_complete_training(simtool: Simtool, home: Path, resnet: Path, tmp_path: Path) -> None:
    shutil.copytree(resnet, tmp_path / "more")
    command = ("train-resnet", home / "images.parquet", "--out", tmp_path / "more", *SMALL, "--epochs", "3")
    ran = simtool(*command)
    assert ran.code == 0
    assert "this training had 2 epochs, and now has 3; the learning rate follows the longer" in ran.err
    rows = list(csv.DictReader((tmp_path / "more" / "training" / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert not (tmp_path / "more" / "model-before.json").exists()
    assert "3" in json.loads((tmp_path / "more" / "model.json").read_text())["command"]


def test_models_of_epochs_are_kept(simtool: Simtool, home: Path, resnet: Path, tmp_path: Path) -> None:
    command = ("train-resnet", home / "images.parquet", "--out", tmp_path / "kept", *SMALL, "--set", "keep-every=1")
    assert simtool(*command).code == 0
    epochs = tmp_path / "kept" / "training" / "epochs"
    assert sorted(folder.name for folder in epochs.iterdir()) == ["001", "002"]
    kept = [load_model(folder).weights for folder in sorted(epochs.iterdir())]
    # The weights of the best epoch are also those of the model; the other epoch has its own.
    assert load_model(tmp_path / "kept").weights == load_model(resnet).weights
    assert kept.count(load_model(resnet).weights) == 1
    embed = ("embed", home / "images.parquet", "--model", epochs / "001", "--out", tmp_path / "first.parquet")
    assert simtool(*embed).code == 0


@pytest.mark.parametrize("command", ["embed", "show"])
def test_a_model_whose_training_is_not_complete_is_refused(
    simtool: Simtool, home: Path, resnet: Path, tmp_path: Path, command: str
) -> None:
    shutil.copytree(resnet, tmp_path / "half")
    (tmp_path / "half" / "model.json").rename(tmp_path / "half" / "model-before.json")
    embed = ("embed", home / "images.parquet", "--model", tmp_path / "half", "--out", tmp_path / "x.parquet")
    ran = simtool(*(embed if command == "embed" else ("show", tmp_path / "half")))
    assert ran.code == 1
    assert "half: its training is not complete; run the same training again, without --restart" in ran.err
    again = simtool("train-resnet", home / "images.parquet", "--out", tmp_path / "half", *SMALL)
    assert again.code == 0
    assert load_model(tmp_path / "half").weights == load_model(resnet).weights


@pytest.mark.parametrize("other", [("--validation", "0.5"), ("--set", "batch-norm-momentum=0.5"), ("--seed", "1")])
def test_another_training_does_not_resume_in_its_folder(
    simtool: Simtool, home: Path, resnet: Path, other: tuple[str, str]
) -> None:
    ran = simtool("train-resnet", home / "images.parquet", "--out", resnet, *SMALL, *other)
    assert ran.code == 1
    assert "--restart" in ran.err
    assert load_model(resnet).weights is not None


def test_the_names_of_version_0_1_choose_the_same(simtool: Simtool, home: Path) -> None:
    command = ("train-resnet", home / "images.parquet", "--out", home / "no", *SMALL, "--dry-run", "--json")
    old = simtool(*command, "--margin", "1.5", "--rate-decay", "0.5", "--set", "statistics=0.5")
    new = simtool(*command, "--decode-scale", "1.5", "--layerwise-lr-decay", "0.5", "--set", "batch-norm-momentum=0.5")
    assert (old.code, new.code) == (0, 0)
    assert old.out == new.out


def test_a_training_of_version_0_1_is_resumed(simtool: Simtool, home: Path, resnet: Path, tmp_path: Path) -> None:
    """Its checkpoints and its model have the old names of some settings."""
    renamed = {"decode_scale": "margin", "layerwise_lr_decay": "rate_decay", "batch_norm_momentum": "statistics"}
    shutil.copytree(resnet, tmp_path / "old")
    for checkpoint in Checkpoints(tmp_path / "old" / "training" / "checkpoints").files():
        header, arrays = read_header(checkpoint), list(read_arrays(checkpoint))
        model = header["configuration"]["model"]
        header["configuration"]["model"] = {renamed.get(name, name): value for name, value in model.items()}
        assert renamed["decode_scale"] in header["configuration"]["model"]
        write_arrays(checkpoint, header, arrays)
    for name in ("model.json", "training/settings.json"):
        text = (tmp_path / "old" / name).read_text()
        for new, before in renamed.items():
            assert f'"{new}"' in text
            text = text.replace(f'"{new}"', f'"{before}"')
        (tmp_path / "old" / name).write_text(text)
    assert load_model(tmp_path / "old").weights == load_model(resnet).weights
    command = ("train-resnet", home / "images.parquet", "--out", tmp_path / "old", *SMALL)
    assert "its training is complete" in simtool(*command).err
    more = simtool(*command, "--epochs", "3")
    assert more.code == 0
    rows = list(csv.DictReader((tmp_path / "old" / "training" / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_dry_run_describes_the_training(simtool: Simtool, home: Path) -> None:
    options = ("--preset", "tiny", "--set", "statistics=0.5", "--set", "clip-norm=2", "--seed", "7")
    ran = simtool("train-resnet", home / "images.parquet", "--out", home / "no", *options, "--dry-run", "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["trainable_parameters"] == 271_954
    assert (found["training_images"], found["validation_images"], found["validation"]) == (10, 2, "0.2")
    assert (found["model"]["batch_norm_momentum"], found["training"]["clip_norm"], found["training"]["seed"]) == (
        0.5,
        2,
        7,
    )
    assert found["peak_bytes"] > 1 << 20
    assert not (home / "no").exists()
    table = simtool("train-resnet", home / "images.parquet", "--out", home / "no", *options, "--dry-run")
    assert {"trainable_parameters", "learning_rate"} <= set(table.out.split())


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--preset", "huge"), 2, "the presets are study, fine-tune, tiny, not huge"),
        (("--set", "batch-norm-momentum=much"), 2, "batch_norm_momentum must be a number, not much"),
        (
            ("--set", "initial-rate=9"),
            2,
            "no setting is called initial_rate; choose from accumulate, batch_size,",
        ),
        (("--set", "size=9"), 2, "size has its own option, --size"),
        (("--set", "speed=9"), 2, "no setting is called speed"),
        (("--size", "7"), 2, "ResNet20 sees images of at least 8 pixels, not 7"),
        (("--validation", "split"), 1, "1 of 2 classes have no training image, for example robin"),
        (("--pretrained",), 2, "ResNet20 has no ImageNet weights"),
        (("--weights", "some.h5", "--from-scratch"), 2, "--from-scratch does not: use one of them"),
        (("--weights", "absent.h5"), 1, "absent.h5: no such file of weights"),
    ],
)
def test_a_training_that_is_impossible_is_refused_in_one_line(
    simtool: Simtool, home: Path, tmp_path: Path, options: tuple[str, ...], code: int, complaint: str
) -> None:
    ran = simtool("train-resnet", home / "images.parquet", "--out", tmp_path / "no", *SMALL, *options)
    assert ran.code == code
    assert complaint in " ".join(ran.err.replace("│", " ").split())
    assert not (tmp_path / "no" / "model.json").exists()


def test_a_corrupt_image_is_named_or_left_out(simtool: Simtool, tmp_path: Path) -> None:
    write_table(tmp_path, COUNT, class_id=[0, 1] * 6, class_name=["wren", "robin"] * 6)
    (tmp_path / "photographs" / "3.jpg").write_bytes(b"no photograph")
    command = ("train-resnet", tmp_path / "images.parquet", "--out", tmp_path / "resnet", *SMALL)
    ran = simtool(*command)
    assert ran.code == 1
    assert "bird-3" in ran.err
    ran = simtool(*command, "--skip-bad")
    assert ran.code == 0
    assert "left out 1 image: bird-3" in ran.err


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (range(COUNT), "images is left for training"),
        (range(0, COUNT, 2), "1 of 2 classes have no training image, for example wren"),
    ],
)
def test_images_that_cannot_be_decoded_leave_enough(
    simtool: Simtool, tmp_path: Path, broken: range, complaint: str
) -> None:
    write_table(tmp_path, COUNT, class_id=[0, 1] * 6, class_name=["wren", "robin"] * 6)
    for number in broken:
        (tmp_path / "photographs" / f"{number}.jpg").write_bytes(b"no photograph")
    command = ("train-resnet", tmp_path / "images.parquet", "--out", tmp_path / "resnet", *SMALL, "--skip-bad")
    ran = simtool(*command)
    assert ran.code == 1
    assert complaint in " ".join(ran.err.split())


def test_two_images_are_enough_where_none_is_held_out(simtool: Simtool, tmp_path: Path) -> None:
    write_table(tmp_path, 2, class_id=[0, 1], class_name=["wren", "robin"])
    command = ("train-resnet", tmp_path / "images.parquet", "--out", tmp_path / "resnet", *SMALL, "--epochs", "1")
    ran = simtool(*command)
    assert ran.code == 1
    assert "leaves 2 for training and 0 for validation; --validation none uses all" in " ".join(ran.err.split())
    assert simtool(*command, "--validation", "none").code == 0


def test_a_training_that_does_not_fit_in_memory_is_refused(
    simtool: Simtool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simtool.stages.training.available_memory", lambda: 1 << 28)
    ran = simtool("train-resnet", home / "images.parquet", "--out", tmp_path / "no", *SMALL)
    assert ran.code == 1
    assert re.search(r"needs about 0\.\d GB of memory, 0\.3 GB are free; only a smaller network", ran.err)
    assert not (tmp_path / "no").exists()


def test_a_class_of_one_image_is_trained_on_and_never_held_out(simtool: Simtool, tmp_path: Path) -> None:
    write_table(tmp_path, 5, class_id=[0, 0, 1, 1, 2], class_name=["wren", "wren", "robin", "robin", "lark"])
    command = ("train-resnet", tmp_path / "images.parquet", "--out", tmp_path / "no", *SMALL, "--validation", "0.5")
    ran = simtool(*command, "--dry-run", "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert (found["classes"], found["training_images"], found["validation_images"]) == (3, 3, 2)


def test_images_without_a_class_are_refused(simtool: Simtool, tmp_path: Path) -> None:
    write_table(tmp_path, 3)
    ran = simtool("train-resnet", tmp_path / "images.parquet", "--out", tmp_path / "resnet", *SMALL)
    assert ran.code == 1
    assert "3 of 3 images have no class, the first is bird-0" in ran.err


def test_images_of_one_class_are_refused(simtool: Simtool, tmp_path: Path) -> None:
    write_table(tmp_path, 4, class_id=[5] * 4, class_name=["images"] * 4)
    ran = simtool("train-resnet", tmp_path / "images.parquet", "--out", tmp_path / "resnet", *SMALL)
    assert ran.code == 1
    assert "all images are of one class, images; a classifier needs at least 2" in " ".join(ran.err.split())
    assert not (tmp_path / "resnet").exists()

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simtool.models.registry import load_model
from simtool.tables.embeddings import open_embeddings
from tests.photographs import prepared, write_table

Simtool = Callable[..., Any]
COUNT = 14
#: A flow that is trained in a moment.
SMALL = (
    *("--preset", "tiny", "--size", "8", "--levels", "2", "--steps", "2", "--width", "4", "--bits", "6"),
    *("--batch-size", "4", "--initial-images", "8", "--validation", "0.3"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes and their table, and later a Glow; tests do not change them."""
    home = tmp_path_factory.mktemp("home")
    write_table(home, COUNT, class_id=[0, 1] * 7, class_name=["wren", "robin"] * 7, split=["train", "test"] * 7)
    return home


@pytest.fixture
def glow(simtool: Simtool, home: Path) -> Path:
    """A Glow that was trained on them for three epochs."""
    if not (home / "glow" / "model.json").exists():
        options = ("--epochs", "3", "--set", "illustrate-every=3")
        assert simtool("train-glow", home / "images.parquet", "--out", home / "glow", *SMALL, *options).code == 0
    return home / "glow"


def described(simtool: Simtool, images: Path, *options: object) -> dict[str, Any]:
    """The facts of a dry run."""
    ran = simtool("train-glow", images, "--out", images.parent / "nothing", *options, "--dry-run", "--json")
    assert ran.code == 0
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_training_makes_a_model_folder_with_its_log_and_sample_images(simtool: Simtool, home: Path, glow: Path) -> None:
    shown = simtool("show", glow)
    assert shown.code == 0
    assert shown.out.startswith(f"{glow}: a valid model, kind glow\n")
    rows = list(csv.DictReader((glow / "training" / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["val_bits_per_dim"]) < float(rows[0]["val_bits_per_dim"])
    assert float(rows[-1]["round_trip"]) < 1e-4
    sizes = {path.name[:7]: Image.open(path).size for path in (glow / "training" / "pictures").iterdir()}
    side = 8 + 2
    assert sizes == {
        "samples": (6 * side - 2, 6 * side - 2),
        "reconst": (4 * side - 2, 3 * side - 2),  # as they are, from both scales, from the deepest alone
        "interpo": (9 * side - 2, 4 * side - 2),
    }


def test_the_first_epoch_begins_with_normalized_activations(simtool: Simtool, home: Path, glow: Path) -> None:
    rows = list(csv.DictReader((glow / "training" / "log.csv").open()))
    # A flow that is not initialised from data is some bits off; uniform noise of 6 bits has 6 bits per dimension.
    assert 3 < float(rows[0]["loss"]) < 6


@pytest.mark.slow
def test_a_complete_training_is_left_as_it_is_without_restart(
    simtool: Simtool, home: Path, glow: Path, tmp_path: Path
) -> None:
    call = ("train-glow", home / "images.parquet", "--out", tmp_path / "glow", *SMALL, "--epochs", "1")
    assert simtool(*call).code == 0
    before = (tmp_path / "glow" / "weights.npz").stat().st_ino
    assert (
        "its training is complete; use more --epochs to continue it, --restart to train from the beginning"
        in simtool(*call).err.replace("\n", " ")
    )
    assert (tmp_path / "glow" / "weights.npz").stat().st_ino == before
    assert simtool(*call, "--validation", "0.5").code == 1
    refused = simtool(*call[:-1], "1", "--steps", "3")
    assert refused.code == 1
    assert "--restart" in refused.err
    assert simtool(*call[:-1], "1", "--steps", "3", "--restart").code == 0
    assert load_model(tmp_path / "glow").output().dimension == 192


def test_latents_are_those_of_the_preprocessed_images(simtool: Simtool, home: Path, glow: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{layer}.parquet" for layer in ("latent", "scale-1", "scale-2")]
    options = [word for out in outs for word in ("--layer", out.stem, "--out", out)]
    ran = simtool("embed", home / "images.parquet", "--model", glow, *options)
    assert ran.code == 0
    latent, finest, deepest = (open_embeddings(out) for out in outs)
    assert [segment.name for segment in latent.info.segments] == ["scale-2", "scale-1"]
    np.testing.assert_array_equal(latent.read(), np.hstack([deepest.read(), finest.read()]))
    assert (latent.info.name, finest.info.name) == ("Glow latent", "Glow scale-1")
    assert (finest.info.shape, deepest.info.shape) == ((4, 4, 6), (2, 2, 24))
    model = load_model(glow)
    images = np.stack([prepared(home / f"photographs/{number}.jpg", 0.8, 8) for number in range(COUNT)])
    np.testing.assert_allclose(latent.read(), model.embed(images), atol=1e-4)
    assert latent.info.model == model.weights


def test_shards_of_several_layers_equal_the_whole(simtool: Simtool, home: Path, glow: Path, tmp_path: Path) -> None:
    whole = ("embed", home / "images.parquet", "--model", glow, "--layer", "scale-2", "--out", tmp_path / "whole")
    assert simtool(*whole).code == 0
    options = ("--layer", "latent", "--out", tmp_path / "a", "--layer", "scale-2", "--out", tmp_path / "b")
    for index in range(2):
        call = ("embed", home / "images.parquet", "--model", glow, *options, "--shard", f"{index}/2")
        assert simtool(*call).code == 0
    np.testing.assert_array_equal(open_embeddings(tmp_path / "b").read(), open_embeddings(tmp_path / "whole").read())
    # One of two tables is gone: only that one is written again.
    gone = tmp_path / "b" / "part-00001-of-00002.parquet"
    gone.unlink()
    ran = simtool(*call)
    assert f"left   {tmp_path / 'a' / gone.name}" in ran.err
    assert f"wrote  {gone}" in ran.err
    assert f"wrote  {tmp_path / 'a'}" not in ran.err


def test_a_dry_run_describes_the_training_and_trains_nothing(simtool: Simtool, home: Path) -> None:
    facts = described(simtool, home / "images.parquet", "--preset", "study", "--validation", "split")
    assert facts["trainable_parameters"] == 252_030_684
    assert facts["model"] | {"size": 128, "levels": 6, "steps": 48, "width": 400} == facts["model"]
    assert facts["training"] | {"epochs": 250, "batch_size": 16, "learning_rate": 1e-4} == facts["training"]
    peaks = facts["peak_bytes_by_backprop"]
    assert peaks["plain"] > peaks["recompute"] > peaks["reversible"] == facts["peak_bytes"]
    assert facts["peak_bytes"] > 16 * facts["trainable_parameters"]
    assert (facts["training_images"], facts["validation_images"]) == (7, 7)
    assert not (home / "nothing").exists()


def test_every_value_of_a_preset_can_be_changed(simtool: Simtool, home: Path) -> None:
    options = {
        "size": 16,
        "levels": 2,
        "steps": 3,
        "width": 5,
        "coupling": "additive",
        "bits": 7,
        "recipe": "square",
        "initial-images": 9,
        "backprop": "recompute",
        "epochs": 11,
        "batch-size": 6,
        "learning-rate": 0.5,
        "precision": "bfloat16",
        "seed": 4,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    facts = described(
        simtool, home / "images.parquet", "--preset", "tiny", *words, "--no-flips", "--set", "ema=0.5", "--crop", "0.5"
    )
    expected = {"size": 16, "levels": 2, "steps": 3, "width": 5, "coupling": "additive", "bits": 7}
    assert facts["model"] | expected | {"compute_dtype": "bfloat16"} == facts["model"]
    expected = {"epochs": 11, "batch_size": 6, "learning_rate": 0.5, "precision": "bfloat16", "seed": 4, "ema": 0.5}
    assert facts["training"] | expected == facts["training"]
    assert (facts["initial_images"], facts["backprop"], facts["flips"]) == (9, "recompute", False)
    steps = facts["preprocessing"]["steps"]
    assert (facts["preprocessing"]["name"], steps[0]) == ("square", {"step": "central-crop", "fraction": 0.5})


@pytest.mark.parametrize("option", ["--variant", "--arrangement"])
def test_the_variant_may_be_given_by_its_name_of_version_0_1(simtool: Simtool, home: Path, option: str) -> None:
    facts = described(simtool, home / "images.parquet", "--preset", "tiny", option, "study")
    assert facts["model"]["variant"] == "study"


@pytest.mark.slow
def test_a_class_conditional_flow_learns_a_prior_for_each_class(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    options = (*SMALL, "--epochs", "1", "--class-conditional")
    assert simtool("train-glow", home / "images.parquet", "--out", tmp_path / "glow", *options).code == 0
    manifest = json.loads((tmp_path / "glow" / "model.json").read_text())
    assert (manifest["settings"]["classes"], manifest["settings"]["class_names"]) == (2, ["wren", "robin"])
    (row,) = csv.DictReader((tmp_path / "glow" / "training" / "log.csv").open())
    assert 0 <= float(row["val_accuracy"]) <= 1


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--preset", "large"), 2, "the presets are study, openai, small, tiny"),
        (("--backprop", "fast"), 2, "the modes of backpropagation are plain, recompute, reversible"),
        (("--preset", "tiny", "--recipe", "caffe"), 2, "Glow needs colors from -0.5 to 0.5"),
        (("--preset", "tiny", "--size", "20"), 2, "20 pixels cannot be halved 3 times; choose a size of 16 or 24"),
        (("--preset", "study", "--validation", "0.5"), 1, "6 images are too few to initialise the 384 channels"),
        (("--preset", "tiny", "--precision", "tf32"), 2, "bfloat16 and float16 round the networks only"),
        (("--preset", "tiny", "--accumulate", "3"), 2, "accumulate 3 does not divide the batch_size 16"),
        (("--preset", "tiny", "--set", "xla=yes"), 2, "xla has its own option, --xla"),
        (("--preset", "tiny", "--set", "rate=1"), 2, "no setting is called rate"),
        (("--preset", "tiny", "--validation", "most"), 2, "--validation must be split, study, none, or a fraction"),
    ],
)
def test_a_wrong_choice_is_refused_and_writes_nothing(
    simtool: Simtool, home: Path, tmp_path: Path, options: tuple[str, ...], code: int, complaint: str
) -> None:
    ran = simtool("train-glow", home / "images.parquet", "--out", tmp_path / "glow", *options)
    assert ran.code == code
    assert complaint in " ".join(ran.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_flow_are_refused(simtool: Simtool, home: Path, glow: Path, tmp_path: Path) -> None:
    other = tmp_path / "glow"
    other.mkdir()
    manifest = json.loads((glow / "model.json").read_text())
    manifest["settings"]["width"] = 5
    (other / "model.json").write_text(json.dumps(manifest))
    (other / "weights.npz").write_bytes((glow / "weights.npz").read_bytes())
    ran = simtool("embed", home / "images.parquet", "--model", other, "--out", tmp_path / "e.parquet")
    assert ran.code == 1
    assert "has the shape (2, 3, 3, 6, 4), the network expects (2, 3, 3, 6, 5)" in ran.err.replace("\n", " ")

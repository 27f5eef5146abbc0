"""Training a Jet is training a flow: the same options, files and resumes as for a Glow."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.models.registry import load_model
from simtool.tables.embeddings import open_embeddings
from tests.photographs import write_table

Simtool = Callable[..., Any]
#: A flow that is trained in a moment.
SMALL = (
    *("--preset", "tiny", "--size", "8", "--patch", "2", "--steps", "3", "--width", "8", "--bits", "6"),
    *("--batch-size", "4", "--validation", "0.3", "--learning-rate", "0.01", "--set", "schedule=constant"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images and their table, and later a Jet; tests do not change them."""
    home = tmp_path_factory.mktemp("home")
    write_table(home, 14, class_id=[0, 1] * 7, class_name=["wren", "robin"] * 7, split=["train", "test"] * 7)
    return home


def train(simtool: Simtool, home: Path, out: Path, epochs: int) -> None:
    ran = simtool("train-jet", home / "images.parquet", "--out", out, *SMALL, "--epochs", epochs)
    assert ran.code == 0, ran.err


@pytest.fixture
def jet(simtool: Simtool, home: Path) -> Path:
    """A Jet that was trained on them for two epochs, with a stop after the first."""
    if not (home / "jet" / "model.json").exists():
        train(simtool, home, home / "jet", 1)
        train(simtool, home, home / "jet", 2)
    return home / "jet"


def test_training_makes_a_model_folder_with_its_log(simtool: Simtool, jet: Path) -> None:
    shown = simtool("show", jet)
    assert shown.code == 0
    assert shown.out.startswith(f"{jet}: a valid model, kind jet\n")
    rows = list(csv.DictReader((jet / "training" / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["val_bits_per_dim"]) < float(rows[0]["val_bits_per_dim"])
    assert float(rows[-1]["round_trip"]) < 1e-4


def test_a_training_that_was_stopped_ends_as_one_without_a_stop_bit_by_bit(
    simtool: Simtool, home: Path, jet: Path, tmp_path: Path
) -> None:
    train(simtool, home, tmp_path / "once", 2)
    with np.load(tmp_path / "once" / "weights.npz") as once, np.load(jet / "weights.npz") as twice:
        assert once.files == twice.files
        for name in once.files:
            np.testing.assert_array_equal(once[name], twice[name], err_msg=name)


def test_its_layers_are_embedded_and_samples_drawn(simtool: Simtool, home: Path, jet: Path, tmp_path: Path) -> None:
    options = [value for layer in ("latent", "activations") for value in ("--layer", layer, "--out", tmp_path / layer)]
    assert simtool("embed", home / "images.parquet", "--model", jet, *options).code == 0
    latent, hidden = (open_embeddings(tmp_path / layer) for layer in ("latent", "activations"))
    assert (latent.info.name, latent.info.dimension, hidden.info.dimension) == ("Jet latent", 192, 8)
    assert simtool("sample", jet, "--out", tmp_path / "samples.png", "--columns", "2").code == 0
    assert load_model(jet).layers[0] == "latent"


def test_a_dry_run_lists_the_network_and_its_training(simtool: Simtool, home: Path) -> None:
    options = ("--depth", "2", "--heads", "4", "--spatial-every", "2", "--backprop", "reversible")
    ran = simtool(
        "train-jet", home / "images.parquet", "--out", home / "nothing", *SMALL, *options, "--dry-run", "--json"
    )
    facts = json.loads(ran.out)
    expected = {"size": 8, "patch": 2, "steps": 3, "width": 8, "depth": 2, "heads": 4, "spatial_every": 2, "bits": 6}
    assert facts["model"] | expected == facts["model"]
    assert "initial_images" not in facts
    peaks = facts["peak_bytes_by_backprop"]
    assert peaks["plain"] > peaks["reversible"] == facts["peak_bytes"]


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--preset", "study"), 2, "the presets are imagenet64, small, tiny"),
        (("--recipe", "caffe"), 2, "Jet needs colors from -0.5 to 0.5"),
        (("--size", "20"), 2, "20 pixels cannot be cut into an even number of patches of 4 pixels"),
        (("--heads", "3"), 2, "a width of 80 cannot be divided among 3 heads"),
        (("--set", "levels=2"), 2, "no setting is called levels"),
        (("--set", "initial_images=9"), 2, "no setting is called initial_images"),
        (("--set", "classes=2"), 2, "classes cannot be changed"),
        (("--class-conditional",), 2, "No such option: --class-conditional"),
    ],
)
def test_a_wrong_choice_is_refused_and_writes_nothing(
    simtool: Simtool, home: Path, tmp_path: Path, options: tuple[str, ...], code: int, complaint: str
) -> None:
    ran = simtool("train-jet", home / "images.parquet", "--out", tmp_path / "jet", *options)
    assert ran.code == code
    assert complaint in " ".join(ran.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []

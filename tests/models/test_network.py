"""A network in other precisions and by other runtimes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.model import Classifier
from simtool.models.classifier.network import build
from simtool.models.errors import ModelError
from simtool.models.network import fitted
from simtool.models.onnx_file import load_onnx_file
from simtool.models.pixels import Pixels
from simtool.models.runtimes import Execution
from simtool.system import processor
from tests.models.onnx_networks import write_network

LAYERS = ("penultimate", "logits", "conv2_block1_out", "conv2_block1_out:flat")


@pytest.fixture(scope="module")
def model() -> Classifier:
    import keras

    keras.utils.set_random_seed(4)
    config = ClassifierConfig("ResNet20", size=32)
    return Classifier(config, build(config, 3), "abc")


@pytest.fixture(scope="module")
def images() -> Any:
    return np.random.default_rng(2).uniform(-1, 1, (5, 32, 32, 3)).astype(np.float32)


def test_openvino_gives_the_vectors_of_tensorflow(model: Classifier, images: Any) -> None:
    other = model.executed(Execution("openvino"))
    for expected, found in zip(model.embed_layers(images, LAYERS), other.embed_layers(images, LAYERS), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("runtime", ["tensorflow", "openvino"])
def test_bfloat16_tells_once_how_much_it_changes(
    runtime: str, model: Classifier, images: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simtool.models.network.has_bfloat16", lambda: True)
    rounded = model.executed(Execution(runtime, "bfloat16"))
    exact = model.embed_layers(images, LAYERS[:2])
    found = rounded.embed_layers(images, LAYERS[:2])
    for one, other in zip(exact, found, strict=True):
        np.testing.assert_allclose(one, other, atol=0.05 * np.abs(one).max())
    rounded.embed_layers(images, LAYERS[:2])
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bfloat16")]
    assert len(notes) == 2
    told = re.fullmatch(
        r"bfloat16: 1 - cosine with float32 is at most (\S+), on average (\S+), on the first 5 images "
        r"\(ResNet20 penultimate\)",
        notes[0],
    )
    assert told
    one, other = exact[0].astype(np.float64), found[0].astype(np.float64)
    cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert float(told[1]) == pytest.approx((1 - cosines).max(), rel=0.05)
    assert float(told[2]) <= float(told[1]) < 1e-2


def test_bfloat16_is_compared_on_several_images_where_the_network_takes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_network(tmp_path / "net.onnx", (1, 3, 6, 6))
    network = load_onnx_file(path, named_preprocessing("torch")).executed(Execution("openvino", "bfloat16"))
    network.embed(np.random.default_rng(1).normal(size=(40, 6, 6, 3)).astype(np.float32))
    assert "on the first 32 images (net embedding)" in capsys.readouterr().err


def test_a_processor_without_bfloat16_is_warned_about(
    model: Classifier, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for able, warned in ((False, True), (None, False), (True, False)):
        monkeypatch.setattr("simtool.models.network.has_bfloat16", lambda able=able: able)
        model.executed(Execution(precision="bfloat16"))
        assert ("no instructions for bfloat16" in capsys.readouterr().err) is warned
    assert processor.has_bfloat16() in (True, False, None)


def test_a_model_that_is_no_network_has_no_choice() -> None:
    with pytest.raises(UsageError, match="for classifiers and files of networks; pixels has no such choice"):
        Pixels(named_preprocessing("study")).executed(Execution())


def test_the_size_that_a_network_expects_goes_before_the_preprocessings() -> None:
    recipe = named_preprocessing("torch")
    path = Path("net")
    assert fitted(path, recipe, (None, None), None) == recipe
    assert fitted(path, recipe, (None, 8), 8) == recipe.adjusted(8)
    assert fitted(path, recipe, (8, 8), None) == recipe.adjusted(8)
    for expected, size in (((8, 8), 9), ((8, 9), None), ((None, 8), None)):
        with pytest.raises(ModelError, match=f"net: the network expects {expected[0]} by {expected[1]} pixels"):
            fitted(path, recipe, expected, size)

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
from simtool.models.classifier.network import HEAD, build
from simtool.models.errors import ModelError
from simtool.models.network import fitted
from simtool.models.onnx_file import load_onnx_file
from simtool.models.pixels import Pixels
from simtool.models.pooling import split_layer
from simtool.models.runtimes import Execution
from simtool.system import processor
from tests.models.onnx_networks import write_network

LAYERS = ("penultimate", "logits", "conv2_block1_out", "conv2_block1_out:flat")
MAP = "conv3_block1_out"
POOLED = tuple(
    f"{MAP}:pool={pool},window={window}" for pool in ("mean", "mean+std", "max", "flat") for window in (0.5, 1)
)


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
def test_poolings_are_those_of_the_whole_map_in_numpy(runtime: str, model: Classifier, images: Any) -> None:
    network = model.executed(Execution(runtime))
    whole, *pooled = network.embed_layers(images, (f"{MAP}:flat", *POOLED))
    maps = whole.reshape(-1, 16, 16, 32)
    for layer, found in zip(POOLED, pooled, strict=True):
        np.testing.assert_allclose(found, split_layer(layer)[1].vectors(maps, np), rtol=1e-4, atol=1e-5)
        assert found.shape[1] == network.output(layer).dimension
    np.testing.assert_array_equal(network.embed(images, MAP), pooled[POOLED.index(f"{MAP}:pool=mean,window=1")])


def test_a_layer_is_named_with_its_pooling(model: Classifier) -> None:
    found = {layer: model.output(layer) for layer in (MAP, f"{MAP}:flat", f"{MAP}:window=0.5,pool=mean+std")}
    assert [one.name for one in found.values()] == [
        f"ResNet20 {MAP}",
        f"ResNet20 {MAP} (flat)",
        f"ResNet20 {MAP} (mean+std, window 0.5)",
    ]
    assert [one.layer for one in found.values()] == [MAP, f"{MAP}:pool=flat", f"{MAP}:pool=mean+std,window=0.5"]
    assert [one.shape for one in found.values()] == [(32,), (16, 16, 32), (64,)]
    assert model.output().layer == "penultimate"


@pytest.mark.parametrize("pooling", ["pool=mean+std", "pool=max", "window=0.5"])
@pytest.mark.parametrize("layer", ["penultimate", "logits", "avg_pool"])
def test_a_layer_without_a_map_is_refused_and_the_last_map_before_it_is_named(
    model: Classifier, layer: str, pooling: str
) -> None:
    advice = "leave out --pool and --window, or give --layer conv4_block3_out, the last map before it"
    with pytest.raises(
        ModelError, match=rf"^layer {layer} of ResNet20 has no map, but a vector of \d+ values; {advice}$"
    ):
        model.output(f"{layer}:{pooling}")


def test_a_map_of_one_place_has_nothing_to_pool() -> None:
    import keras

    image = keras.Input((32, 32, 3))
    seen = keras.layers.Conv2D(4, 3, name="seen")(image)
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pooled")(seen)
    logits = keras.layers.Dense(3, name=HEAD)(keras.layers.Flatten()(keras.layers.Dropout(0.5, name="kept")(pooled)))
    network = Classifier(ClassifierConfig("ResNet20", size=32), keras.Model(image, logits), "abc")
    for layer in ("pooled", "kept"):
        assert network.output(layer).shape == (4,)
        with pytest.raises(
            ModelError, match=r"has no map, but a vector of 4 values; .*or give --layer seen, the last map"
        ):
            network.output(f"{layer}:pool=mean+std")


def test_only_flows_weigh_places_by_their_surprise(model: Classifier) -> None:
    with pytest.raises(
        UsageError, match=r"^--pool surprise is for flows, which know the length of a code, not for ResN"
    ):
        model.output(f"{MAP}:pool=surprise")


def test_a_note_tells_once_that_a_window_keeps_all_of_a_small_map(
    model: Classifier, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        whole, windowed = model.embed_layers(images, ("conv4_block3_out", "conv4_block3_out:window=0.95"))
        np.testing.assert_array_equal(whole, windowed)
    model.embed(images, "conv4_block3_out:window=0.5")
    notes = [line for line in capsys.readouterr().err.splitlines() if "window" in line]
    assert notes == ["the map of conv4_block3_out has only 8 x 8 places: --window 0.95 keeps all of them"]


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

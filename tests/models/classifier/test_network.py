"""Networks of keras.applications with logits as their output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.model import Classifier
from simtool.models.classifier.network import (
    HEAD,
    build,
    count_parameters,
    load_backbone,
    named_weights,
    rate_multipliers,
)
from simtool.models.classifier.presets import PRESETS
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest, write_manifest
from simtool.models.registry import load_model
from simtool.tables.provenance import Provenance, sha256_of
from simtool.tensorflow import load_tensorflow


@pytest.mark.slow
def test_the_studys_network_is_keras_resnet50_with_200_classes() -> None:
    network = build(PRESETS["study"].config, 200)
    import keras

    published = keras.applications.ResNet50(weights=None, classes=200, input_shape=(128, 128, 3))
    ours = {layer.name: [weight.shape for weight in layer.weights] for layer in network.layers if layer.weights}
    theirs = {layer.name: [weight.shape for weight in layer.weights] for layer in published.layers if layer.weights}
    assert ours == theirs
    assert network.count_params() == 23_997_512
    assert count_parameters(network) == 23_944_392


def test_the_output_is_logits(network: Any) -> None:
    logits = network(np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype(np.float32)).numpy()
    assert logits.shape == (4, 3)
    assert not np.allclose(logits.sum(axis=1), 1)


def test_running_moments_can_follow_faster() -> None:
    network = build(ClassifierConfig("MobileNet", size=32, batch_norm_momentum=0.7), 3)
    assert {layer.momentum for layer in network.layers if hasattr(layer, "momentum")} == {0.7}


def test_earlier_layers_learn_slower_and_the_last_at_full_rate(network: Any) -> None:
    rates = rate_multipliers(network, 0.5)
    assert len(rates) == len(network.trainable_variables)
    assert rates == sorted(rates)
    assert sorted(set(rates)) == [0.5**part for part in (5, 4, 3, 2, 1, 0)]
    last = [rate for rate, one in zip(rates, network.trainable_variables, strict=True) if HEAD in one.path]
    assert last == [1.0, 1.0]


def test_weights_from_a_file_are_loaded_except_for_the_last_layer(
    small: ClassifierConfig, network: Any, tmp_path: Path
) -> None:
    import keras

    source = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    source.save_weights(tmp_path / "notop.weights.h5")
    head = [weight.numpy() for weight in network.get_layer(HEAD).weights]
    load_backbone(network, small, tmp_path / "notop.weights.h5")
    for layer in filter(lambda layer: layer.weights, source.layers):
        for ours, theirs in zip(network.get_layer(layer.name).weights, layer.weights, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    for before, after in zip(head, network.get_layer(HEAD).weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())


def test_weights_of_another_architecture_are_refused(small: ClassifierConfig, network: Any, tmp_path: Path) -> None:
    import keras

    other = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ModelError, match="not the weights of a MobileNet without its top") as refused:
        load_backbone(network, small, tmp_path / "other.weights.h5")
    assert "\n" not in str(refused.value)
    with pytest.raises(ModelError, match="no such file"):
        load_backbone(network, small, tmp_path / "absent.weights.h5")
    (tmp_path / "pointer.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ModelError, match=r"this is a Git LFS pointer.*; these are not the weights of a MobileNet"):
        load_backbone(network, small, tmp_path / "pointer.h5")


@pytest.mark.slow
def test_features_are_those_of_keras_with_its_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This network scales colors itself, and Keras builds it in two ways, with and without ImageNet's weights."""
    load_tensorflow()
    import keras

    options: dict[str, Any] = {"include_top": False, "input_shape": (64, 64, 3), "pooling": "avg"}
    plain = keras.applications.EfficientNetB0(weights=None, **options)
    file = tmp_path / "notop.weights.h5"
    for layer in plain.layers:
        if type(layer).__name__ == "Normalization" and layer.weights:
            layer.set_weights([np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.25, 0.3]), np.array(1)])
    plain.save_weights(file)
    # The download returns this file.
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", lambda *_, **__: str(file))
    published = keras.applications.EfficientNetB0(weights="imagenet", **options)
    config = ClassifierConfig("EfficientNetB0", size=64, pretrained=True)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    expected = published(images).numpy()
    assert np.ptp(expected) > 0
    for weights in (None, file):
        network = build(config, 3)
        load_backbone(network, config, weights)
        saved = Classifier(config, network, ("a", "b", "c"))
        saved.save(tmp_path, Provenance.of(["train-resnet"], []))
        for one in (saved, load_model(tmp_path)):
            np.testing.assert_allclose(one.embed(images), expected, atol=1e-4 * np.abs(expected).max())


def test_a_model_whose_colors_were_not_scaled_is_refused(tmp_path: Path) -> None:
    config = ClassifierConfig("EfficientNetB0", size=32, pretrained=True)
    settings = {"config": config.to_json(), "classes": ["a", "b"]}
    (tmp_path / "weights.npz").touch()
    origin = Provenance.of(["train-resnet"], [])
    hashes = {"weights.npz": sha256_of(tmp_path / "weights.npz")}
    write_manifest(tmp_path, Manifest("classifier", "old", config.preprocessing, hashes, (), settings, origin))
    with pytest.raises(ModelError, match="an older version of simtool trained this EfficientNetB0"):
        load_model(tmp_path)


def test_a_download_that_fails_says_what_to_do(
    small: ClassifierConfig, network: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import keras

    # A folder that cannot be created has the same effect as a network that cannot be reached.
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(keras.src.applications.mobilenet, "BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    with pytest.raises(ModelError, match=r"cannot be downloaded .* --weights FILE"):
        load_backbone(network, small, None)


def test_the_names_of_weights_do_not_depend_on_networks_built_before() -> None:
    import keras

    def names() -> list[str]:
        # Keras numbers the layers and variables that it names itself over the whole process.
        image = keras.Input((8, 8, 3))
        seen = keras.layers.Conv2D(2, 1)(keras.layers.Conv2D(2, 1)(keras.layers.Normalization()(image)))
        network = keras.Model(image, keras.layers.Dense(3, name=HEAD)(keras.layers.BatchNormalization(name="bn")(seen)))
        found = list(named_weights(network))
        assert len(found) == len(network.weights)
        return found

    first = names()
    assert names() == first
    assert {"conv2d-1/kernel", "conv2d-2/kernel", "bn/gamma", f"{HEAD}/bias"} <= set(first)

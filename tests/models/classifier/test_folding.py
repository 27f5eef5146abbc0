"""Batch normalisation becomes a part of the convolution before it; the values stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.folding import Folding
from simtool.models.classifier.model import Classifier
from simtool.models.classifier.network import build

RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.normal(size=(3, 9, 9, 3)).astype(np.float32)


def settled(network: Any) -> Any:
    """The network with moments and scales that change values, as after a training."""
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            settled(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([RANDOM.uniform(0.8, 1.2, weight.shape) for weight in layer.get_weights()])
    return network


def kinds(network: Any) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def close(network: Any, folded: Any, images: Any = IMAGES) -> None:
    expected, found = np.asarray(network(images, training=False)), np.asarray(folded(images, training=False))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D", "SeparableConv2D"])
def test_a_normalization_after_a_convolution_is_folded(kind: str, bias: bool) -> None:
    import keras

    size = {"depth_multiplier": 2} if kind == "DepthwiseConv2D" else {"filters": 5}
    convolution = getattr(keras.layers, kind)(
        **size, kernel_size=3, strides=2, padding="same", use_bias=bias, bias_initializer="random_normal"
    )
    normalization = keras.layers.BatchNormalization(scale=bias, center=not bias, epsilon=0.1)
    layers = [keras.Input((9, 9, 3)), convolution, normalization, keras.layers.ReLU()]
    network = settled(keras.Sequential(layers))
    folded = Folding().folded(network)
    assert kinds(folded) == ["InputLayer", kind, "ReLU"]
    close(network, folded)


def test_what_is_read_elsewhere_or_called_twice_or_not_linear_is_not_folded() -> None:
    import keras

    image = keras.Input((9, 9, 3))
    shared = keras.layers.Conv2D(3, 3, padding="same")
    normalize = [keras.layers.BatchNormalization(name=f"bn{place}") for place in range(5)]
    twice = normalize[1](shared(normalize[0](shared(image))))
    rectified = normalize[2](keras.layers.Conv2D(3, 3, padding="same", activation="relu")(twice))
    read = keras.layers.Conv2D(3, 3, padding="same")(rectified)
    network = settled(keras.Model(image, keras.layers.Add()([read, normalize[3](read)])))
    assert Folding().folded(network) is network


def test_nested_networks_are_folded_and_share_their_convolutions() -> None:
    import keras

    inner = keras.Sequential(
        [keras.Input((9, 9, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()], name="stem"
    )
    image = keras.Input((9, 9, 3))
    network = settled(keras.Model(image, keras.layers.ReLU()(inner(image))))
    folding = Folding()
    folded = folding.folded(network)
    assert kinds(folded.get_layer("stem")) == ["InputLayer", "Conv2D"]
    close(network, folded)
    assert folding.folded(network).get_layer("stem").layers[1] is folded.get_layer("stem").layers[1]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["ResNet50", "MobileNetV2", "EfficientNetB0"])
def test_the_layers_of_a_classifier_keep_their_values_within_the_rounding_of_float32(architecture: str) -> None:
    import keras

    keras.utils.set_random_seed(5)
    config = ClassifierConfig(architecture, size=64)
    network = settled(build(config, 3))
    images = RANDOM.normal(0, 60, (2, *config.preprocessing.shape)).astype(np.float32)
    model = Classifier(config, network, "abc")
    convolution = next(layer.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    names = ("logits", "penultimate", f"{convolution}:flat")
    tapped = keras.Model(network.inputs, [model.named["logits"], model.named["penultimate"]])
    expected = [values.numpy() for values in tapped([images], training=False)]
    first = keras.Model(network.inputs, network.get_layer(convolution).output)([images]).numpy().reshape(2, -1)
    for found, values in zip(model.embed_layers(images, names), [*expected, first], strict=True):
        np.testing.assert_allclose(found, values, atol=1e-4 * np.abs(values).max())

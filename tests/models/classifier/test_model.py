"""A classifier as a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.model import Classifier
from simtool.models.errors import ModelError
from simtool.models.registry import load_model
from simtool.tables.provenance import Provenance
from tests.models.classifier.conftest import CLASSES


@pytest.fixture
def classifier(small: ClassifierConfig, network: Any) -> Classifier:
    return Classifier(small, network, CLASSES)


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(5, 32, 32, 3)).astype(np.float32)


def test_final_is_the_softmax_of_the_logits(classifier: Classifier, images: NDArray[np.float32]) -> None:
    logits, final = classifier.embed_layers(images, ["logits", "final"])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(final, odds / odds.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(logits, classifier.network(images).numpy(), atol=1e-5)


def test_penultimate_is_the_input_of_the_last_layer(classifier: Classifier, images: NDArray[np.float32]) -> None:
    kernel, bias = (weight.numpy() for weight in classifier.network.get_layer("predictions").weights)
    penultimate, logits = classifier.embed_layers(images, [None, "logits"])
    np.testing.assert_allclose(penultimate @ kernel + bias, logits, atol=1e-5)


def test_a_map_is_averaged_over_pixels_or_kept_whole(classifier: Classifier, images: NDArray[np.float32]) -> None:
    name = "conv_pw_3_relu"
    pooled, flat = classifier.embed_layers(images, [name, f"{name}:flat"])
    shape = classifier.output(f"{name}:flat").shape
    assert classifier.output(name).shape == shape[-1:]
    np.testing.assert_allclose(flat.reshape(5, *shape).mean(axis=(1, 2)), pooled, rtol=1e-4, atol=1e-6)


def test_a_vector_does_not_depend_on_its_neighbors(classifier: Classifier, images: NDArray[np.float32]) -> None:
    many = np.concatenate([images] * 8)
    np.testing.assert_array_equal(classifier.embed(many)[-5:], classifier.embed(images))


def test_xla_gives_the_same_vectors_except_for_rounding(classifier: Classifier, images: NDArray[np.float32]) -> None:
    layers = ["penultimate", "final"]
    found = classifier.with_xla().embed_layers(images, layers)
    for one, other in zip(classifier.embed_layers(images, layers), found, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * np.abs(one).max())


def test_an_unknown_layer_is_an_error_that_names_similar_ones(classifier: Classifier) -> None:
    with pytest.raises(ModelError, match=r"no layer conv_pw_33; it has penultimate, logits, final.*conv_pw_3"):
        classifier.output("conv_pw_33")


def test_a_saved_classifier_gives_the_same_vectors(
    classifier: Classifier, images: NDArray[np.float32], tmp_path: Path
) -> None:
    classifier.save(tmp_path, Provenance.of(command=("train-resnet",), inputs=()))
    loaded = load_model(tmp_path)
    assert isinstance(loaded, Classifier)
    assert loaded.classes == CLASSES
    assert loaded.weights == classifier.weights
    assert loaded.preprocessing == classifier.preprocessing
    assert loaded.origin == classifier.origin
    np.testing.assert_array_equal(loaded.embed(images, "logits"), classifier.embed(images, "logits"))


def test_networks_that_differ_in_their_training_only_share_their_controls(
    small: ClassifierConfig, network: Any
) -> None:
    finer = replace(small, augmentation="field", pretrained=True, label_smoothing=0.1)
    models = [Classifier(*each) for each in ((small, network, CLASSES), (finer, network, CLASSES))]
    fewer = Classifier(small, network, CLASSES[:2])
    for model in (*models, fewer):
        model.state_origin()
    assert models[0].origin == models[1].origin != fewer.origin


def test_weights_that_do_not_fit_are_refused(classifier: Classifier, tmp_path: Path) -> None:
    classifier.save(tmp_path, Provenance.of(command=("train-resnet",), inputs=()))
    manifest = json.loads((tmp_path / "model.json").read_text())
    manifest["settings"]["classes"] = ["lark"]
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="not the weights of a MobileNet with 1 classes"):
        load_model(tmp_path)

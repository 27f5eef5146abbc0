"""The configuration of a classifier."""

from __future__ import annotations

import pytest

from simtool.errors import SimtoolError
from simtool.images.preprocessing import PREPROCESSINGS
from simtool.models.classifier.architectures import ARCHITECTURES, named_architecture
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.presets import PRESETS
from simtool.models.errors import ModelError


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json(name: str) -> None:
    config = PRESETS[name].config
    assert ClassifierConfig.from_json(config.to_json()) == config


def test_every_architecture_names_a_preprocessing() -> None:
    assert {architecture.recipe for architecture in ARCHITECTURES.values()} <= PREPROCESSINGS.keys()


def test_an_architecture_is_found_whatever_its_case() -> None:
    assert named_architecture("efficientnetb0").name == "EfficientNetB0"


def test_another_architecture_brings_its_own_preprocessing() -> None:
    config = PRESETS["fine-tune"].config
    assert config.recipe == "caffe"
    assert config.changed(architecture="DenseNet121").recipe == "torch"
    assert config.changed(architecture="DenseNet121", recipe="square").recipe == "square"
    assert PRESETS["study"].config.changed(architecture="VGG16").recipe == "study-resnet"


def test_images_are_decoded_larger_for_crops() -> None:
    config = ClassifierConfig(size=100, decode_scale=1.2)
    assert config.preprocessing.shape == (100, 100, 3)
    assert config.decoded.shape == (120, 120, 3)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"architecture": "ResNet51"}, "no architecture is called ResNet51"),
        ({"size": 31}, "at least 32 pixels, not 31"),
        ({"architecture": "Xception", "size": 64}, "at least 71 pixels"),
        ({"augmentation": "wild"}, "augmentation is study, field, flip, none, not wild"),
        ({"recipe": "raw"}, "no preprocessing is called raw"),
        ({"label_smoothing": 1.0}, "label_smoothing is from 0 to 0.99"),
        ({"layerwise_lr_decay": 0.0}, "layerwise_lr_decay is from 0.001 to 1"),
    ],
)
def test_an_impossible_configuration_is_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(SimtoolError, match=complaint):
        ClassifierConfig(**values)  # type: ignore[arg-type]


def test_a_damaged_configuration_is_refused() -> None:
    for content in (None, {"depth": 3}):
        with pytest.raises(SimtoolError, match="damaged, or of another version"):
            ClassifierConfig.from_json(content)


def test_a_configuration_of_version_0_1_is_read_by_its_old_names() -> None:
    new = ClassifierConfig(decode_scale=1.2, layerwise_lr_decay=0.5, batch_norm_momentum=0.9)
    old = new.to_json()
    for name, before in (
        ("decode_scale", "margin"),
        ("layerwise_lr_decay", "rate_decay"),
        ("batch_norm_momentum", "statistics"),
    ):
        old[before] = old.pop(name)
    assert ClassifierConfig.from_json(old) == new


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"architecture": 5}, "architecture of a classifier is a name, not 5"),
        ({"recipe": ["caffe"]}, "recipe of a classifier is a name"),
        ({"size": "224"}, "size of a classifier is a whole number, not 224"),
        ({"size": True}, "size of a classifier is a whole number, not True"),
        ({"pretrained": 1}, "pretrained of a classifier is a truth value"),
        ({"decode_scale": None}, "decode_scale of a classifier is a number, not None"),
        ({"batch_norm_momentum": {"x": [1] * 1000}}, r"batch_norm_momentum of a classifier is a number, not .{40}$"),
    ],
)
def test_values_of_another_type_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        ClassifierConfig.from_json({**ClassifierConfig().to_json(), **change})

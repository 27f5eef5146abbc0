"""The configuration of a classifier and of its training images, as data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self, get_type_hints

from simtool.images.preprocessing import Preprocessing, named_preprocessing
from simtool.models.classifier.architectures import named_architecture
from simtool.models.errors import ModelError
from simtool.training.augmentation import AUGMENTATIONS
from simtool.training.settings import Record, current_names

__all__ = ["ClassifierConfig"]

_WORDS: dict[type, str] = {str: "name", int: "whole number", float: "number", bool: "truth value (true or false)"}


@dataclass(frozen=True)
class ClassifierConfig(Record):
    """A classifier and its training data.

    Attributes:
        architecture: a name of :data:`simtool.models.classifier.architectures.ARCHITECTURES`.
        recipe: the name of the preprocessing; empty for the preprocessing of the architecture's published weights.
        size: height and width in pixels.
        pretrained: start from weights that were trained on ImageNet.
        augmentation: a name of :data:`simtool.training.augmentation.AUGMENTATIONS`.
        decode_scale: images are decoded larger by this factor, so that augmentation can crop them.
        label_smoothing: share of the target that is spread over all classes (Szegedy et al., 2016, section 7).
        layerwise_lr_decay: factor of the learning rate from each fifth of the network to the fifth before it (Howard
            & Ruder, 2018, section 3.2); the new last layer learns at full rate.
        batch_norm_momentum: of the moving mean and variance of batch normalisation; a short training needs a smaller
            value than Keras's default.
    """

    architecture: str = "ResNet50"
    recipe: str = ""
    size: int = 224
    pretrained: bool = False
    augmentation: str = "field"
    decode_scale: float = 1.0
    label_smoothing: float = 0.0
    layerwise_lr_decay: float = 1.0
    batch_norm_momentum: float = 0.99

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value = getattr(self, name)
            # True is an int, and an int is accepted as a float.
            if isinstance(value, bool) != (kind is bool) or not isinstance(
                value, (kind, int) if kind is float else kind
            ):
                raise ModelError(f"{name} of a classifier is a {_WORDS[kind]}, not {value!s:.40}")
        architecture = named_architecture(self.architecture)
        object.__setattr__(self, "architecture", architecture.name)
        object.__setattr__(self, "recipe", named_preprocessing(self.recipe or architecture.recipe).name)
        if self.size < architecture.least:
            raise ModelError(
                f"{self.architecture} sees images of at least {architecture.least} pixels, not {self.size}"
            )
        if self.augmentation not in AUGMENTATIONS:
            raise ModelError(f"augmentation is {', '.join(AUGMENTATIONS)}, not {self.augmentation}")
        for name, low, high in (
            ("label_smoothing", 0.0, 0.99),
            ("layerwise_lr_decay", 1e-3, 1.0),
            ("decode_scale", 1.0, 2.0),
            ("batch_norm_momentum", 0.0, 0.9999),
        ):
            if not low <= getattr(self, name) <= high:
                raise ModelError(f"{name} is from {low:g} to {high:g}, not {getattr(self, name)}")

    @property
    def scaled(self) -> bool:
        """Whether the network scales colors for ImageNet weights; a network from scratch does not."""
        return self.pretrained and named_architecture(self.architecture).scaled

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of the images that the network sees."""
        return named_preprocessing(self.recipe).adjusted(self.size)

    @property
    def decoded(self) -> Preprocessing:
        """The preprocessing of training images before augmentation: larger by ``decode_scale``."""
        return self.preprocessing.adjusted(round(self.size * self.decode_scale))

    def changed(self, **values: Any) -> Self:
        """Copy with other values; None keeps a value. Another architecture brings its own preprocessing.

        Raises:
            ModelError: a value is unknown or out of range.
        """
        other = values.get("architecture") is not None
        if other and values.get("recipe") is None and not self.recipe.startswith("study"):
            values["recipe"] = ""
        return super().changed(**values)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read a configuration, which may have the names of version 0.1.

        Raises:
            ModelError: a value is unknown or out of range.
        """
        known = {field.name for field in fields(cls)}
        content = current_names(content)
        if not isinstance(content, dict) or content.keys() - known:
            raise ModelError("the configuration of a classifier is damaged, or of another version")
        return cls(**content)

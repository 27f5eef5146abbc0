"""What a classifier is built from and how its photographs are shown to it, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, get_type_hints

from simtool.images.preprocessing import Preprocessing, named_preprocessing
from simtool.models.classifier.architectures import named_architecture
from simtool.models.errors import ModelError
from simtool.training.augmentation import AUGMENTATIONS

__all__ = ["ClassifierConfig"]

_WORDS: dict[type, str] = {str: "name", int: "whole number", float: "number", bool: "truth value (true or false)"}


@dataclass(frozen=True)
class ClassifierConfig:
    """A classifier and its training data.

    Attributes:
        architecture: a name of :data:`simtool.models.classifier.architectures.ARCHITECTURES`.
        recipe: the name of the preprocessing; empty for that of the architecture's published weights.
        size: height and width in pixels.
        pretrained: start from weights that were trained on ImageNet.
        augmentation: a name of :data:`simtool.training.augmentation.AUGMENTATIONS`.
        margin: photographs are decoded larger by this factor, so that augmentation has something to cut off.
        label_smoothing: share of the target that is spread over all classes (Szegedy et al., 2016, section 7).
        rate_decay: each fifth of the network, from its end to its beginning, learns slower by this factor (Howard &
            Ruder, 2018, section 3.2); the new last layer learns at full rate.
        statistics: decay of batch normalisation's running moments; a training of few steps needs less than Keras's.
    """

    architecture: str = "ResNet50"
    recipe: str = ""
    size: int = 224
    pretrained: bool = False
    augmentation: str = "field"
    margin: float = 1.0
    label_smoothing: float = 0.0
    rate_decay: float = 1.0
    statistics: float = 0.99

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value = getattr(self, name)
            # True is an int, and an int is as good as a float.
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
            ("rate_decay", 1e-3, 1.0),
            ("margin", 1.0, 2.0),
            ("statistics", 0.0, 0.9999),
        ):
            if not low <= getattr(self, name) <= high:
                raise ModelError(f"{name} is from {low:g} to {high:g}, not {getattr(self, name)}")

    @property
    def scaled(self) -> bool:
        """Whether the network scales colors as ImageNet's weights want it, and one from scratch does not."""
        return self.pretrained and named_architecture(self.architecture).scaled

    @property
    def preparation(self) -> Preprocessing:
        """What a photograph goes through before the network sees it."""
        return named_preprocessing(self.recipe).adjusted(self.size)

    @property
    def decoded(self) -> Preprocessing:
        """What a photograph for training goes through before it is augmented: larger by the margin."""
        return self.preparation.adjusted(round(self.size * self.margin))

    def changed(self, **values: Any) -> Self:
        """The same with other values; those that are None stay as they are. Another architecture brings its recipe.

        Raises:
            ModelError: a value is unknown or out of range.
        """
        given = {name: value for name, value in values.items() if value is not None}
        if "architecture" in given and "recipe" not in given and not self.recipe.startswith("study"):
            given["recipe"] = ""
        return replace(self, **given)

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read what :meth:`to_json` gives.

        Raises:
            ModelError: it is not that.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(content, dict) or content.keys() - known:
            raise ModelError("the configuration of a classifier is damaged, or of another version")
        return cls(**content)

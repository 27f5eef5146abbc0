"""A classifier as a model: images become the activations of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from simtool.errors import SimtoolError
from simtool.images.given import GivenImages
from simtool.images.preprocessing import Preprocessing
from simtool.models.classifier.activations import FINAL, LOGITS, PENULTIMATE, Activations
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.network import HEAD, build, load_arrays, named_weights
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest
from simtool.models.interface import TrainedModel
from simtool.tables.provenance import Provenance
from simtool.training.arrays import read_arrays, to_arrays, write_arrays

__all__ = ["Classifier"]

_WEIGHTS = "weights.npz"
#: The setting that records that the network scales colors for ImageNet weights.
_SCALED = "scaled"


class Classifier(Activations, TrainedModel):
    """A network from images to classes; each of its layers can be embedded.

    ``final`` is the softmax, ``logits`` its input, ``penultimate`` the input of the last layer: maps of activations,
    averaged over pixels. See :class:`Activations` for all other layers.

    Args:
        config: of the classifier.
        network: from preprocessed images to logits.
        classes: their names, in the order of the logits.
        weights: the SHA-256 of the saved weights; None before they are saved.
    """

    kind: ClassVar[str] = "classifier"
    layers: tuple[str, ...] = (PENULTIMATE, LOGITS, FINAL)

    def __init__(
        self, config: ClassifierConfig, network: Any, classes: Sequence[str], weights: str | None = None
    ) -> None:
        self.config, self.network, self.classes, self.weights = config, network, tuple(classes), weights
        self.name = config.architecture
        self.preprocessing: Preprocessing = config.preprocessing

    @cached_property
    def named(self) -> Mapping[str, Any]:
        """The layers of every classifier. See :class:`Activations`."""
        import keras

        logits = self.network.output
        penultimate = self.network.get_layer(HEAD).input
        return {PENULTIMATE: penultimate, LOGITS: logits, FINAL: keras.layers.Softmax(dtype="float32")(logits)}

    def initial(self, seed: int, images: GivenImages) -> Self:
        """The network at the start of a training from scratch with this seed. See :meth:`Model.initial`."""
        del images
        import keras

        keras.utils.set_random_seed(seed)
        control = type(self)(self.config, build(self.config, len(self.classes)), self.classes)
        control.state_control(self, seed)
        return control

    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the weights and ``model.json``. See :meth:`TrainedModel.save`."""
        write_arrays(folder / _WEIGHTS, {}, to_arrays(named_weights(self.network)))
        settings: dict[str, Any] = {"config": self.config.to_json(), "classes": list(self.classes)}
        if self.config.scaled:
            settings[_SCALED] = True
        self.describe(folder, provenance, self.name, [_WEIGHTS], settings)

    @property
    def architecture(self) -> Mapping[str, Any]:
        """The network and its number of classes. See :attr:`TrainedModel.architecture`."""
        return {"name": self.config.architecture, "size": self.config.size, "classes": len(self.classes)}

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """See :meth:`TrainedModel.load`."""
        config = ClassifierConfig.from_json(manifest.settings.get("config"))
        classes = manifest.settings.get("classes")
        if not isinstance(classes, list) or not classes:
            raise ModelError(f"{folder}: the manifest of a classifier should list its classes, not {classes}")
        if config.scaled and not manifest.settings.get(_SCALED):
            raise ModelError(
                f"{folder}: an older version of simtool trained this {config.architecture}, without the scaling of "
                "colors that ImageNet weights expect; train it again"
            )
        network = build(config, len(classes))
        try:
            load_arrays(network, read_arrays(folder / _WEIGHTS))
        except SimtoolError as failure:
            raise ModelError(
                f"{folder / _WEIGHTS}: not the weights of a {config.architecture} with {len(classes)} classes: "
                f"{failure}"
            ) from failure
        return cls(config, network, [str(name) for name in classes], manifest.digest)

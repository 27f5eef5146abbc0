"""A classifier as a model: photographs as the activations of its layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.images.recipes import Recipe
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.network import HEAD, assign_arrays, build, to_arrays
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest, write_manifest
from simtool.models.interface import Output, TrainedModel
from simtool.models.training.arrays import read_arrays, write_arrays
from simtool.tables.provenance import Provenance
from simtool.tensorflow import load_tensorflow

__all__ = ["Classifier"]

_WEIGHTS = "weights.npz"
#: Names that every classifier knows, the default first.
_PENULTIMATE, _LOGITS, _FINAL = "penultimate", "logits", "final"
#: After a layer's name: its map as it is, and not averaged over pixels.
_FLAT = ":flat"
#: Photographs that are embedded at once. Shorter batches are filled up: one graph serves all of them, and a vector does
#: not depend, in its last bits, on how many others are computed with it.
_BATCH = 32


class Classifier(TrainedModel):
    """A network from photographs to classes; each of its layers can be embedded.

    ``final`` is the softmax, ``logits`` what it is taken of, ``penultimate`` what the last layer sees: maps of
    activations, averaged over pixels. Any other layer goes by its name in the network; a map is averaged over pixels
    too, or kept whole with ``NAME:flat``.

    Args:
        config: of the classifier.
        network: from prepared photographs to logits.
        classes: their names, in the order of the logits.
        weights: the SHA-256 of the saved weights; None before they are saved.
    """

    kind: ClassVar[str] = "classifier"
    layers: tuple[str, ...] = (_PENULTIMATE, _LOGITS, _FINAL)

    def __init__(
        self, config: ClassifierConfig, network: Any, classes: Sequence[str], weights: str | None = None
    ) -> None:
        self.config, self.network, self.classes, self.weights = config, network, tuple(classes), weights
        self.recipe: Recipe = config.preparation
        self._graphs: dict[tuple[str, ...], Any] = {}

    def output(self, layer: str | None = None) -> Output:
        """See :meth:`Model.output`."""
        layer = layer or self.layers[0]
        tensor = self._tensor(layer)
        shape = tuple(int(side) for side in tensor.shape[1:])
        name = f"{self.config.architecture} {layer}"
        return Output(name, shape if layer.endswith(_FLAT) else (shape[-1],))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """See :meth:`Model.embed`."""
        (vectors,) = self.embed_layers(images, (layer,))
        return vectors

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """The vectors of several layers, in one pass through the network. See :meth:`Model.embed_layers`."""
        names = tuple(layer or self.layers[0] for layer in layers)
        results = [np.empty((len(images), self.output(name).dimension), np.float32) for name in names]
        graph = self._graph(names)
        filled = np.zeros((_BATCH, *self.recipe.shape), np.float32)
        for start in range(0, len(images), _BATCH):
            some = images[start : start + _BATCH]
            filled[: len(some)] = some
            for result, vectors in zip(results, graph(filled), strict=True):
                result[start : start + len(some)] = vectors.numpy()[: len(some)].reshape(len(some), -1)
        return results

    def _graph(self, names: tuple[str, ...]) -> Any:
        """From a whole batch of prepared photographs to the vectors of some layers."""
        if names in self._graphs:
            return self._graphs[names]
        tf = load_tensorflow()
        import keras

        tapped = keras.Model(self.network.input, [self._tensor(name) for name in names])

        def vectors(images: Any) -> list[Any]:
            found = tapped(images, training=False)
            found = found if isinstance(found, list | tuple) else [found]
            return [self._vector(name, tf.cast(one, tf.float32)) for name, one in zip(names, found, strict=True)]

        signature = [tf.TensorSpec((_BATCH, *self.recipe.shape), tf.float32)]
        graph = tf.function(vectors, input_signature=signature, autograph=False)
        self._graphs[names] = graph
        return graph

    def _vector(self, name: str, activations: Any) -> Any:
        tf = load_tensorflow()
        if name == _FINAL:
            return tf.nn.softmax(activations)
        if name.endswith(_FLAT) or len(activations.shape) == 2:
            return tf.reshape(activations, (activations.shape[0], math.prod(activations.shape[1:])))
        return tf.reduce_mean(activations, axis=list(range(1, len(activations.shape) - 1)))

    def _tensor(self, layer: str) -> Any:
        """Where in the network the activations of a layer are."""
        if layer in (_LOGITS, _FINAL):
            return self.network.output
        if layer == _PENULTIMATE:
            return self.network.get_layer(HEAD).input
        try:
            output = self._layers[layer.removesuffix(_FLAT)].output
        except KeyError:
            near = self._named_like(layer.removesuffix(_FLAT))
            raise ModelError(
                f"{self.config.architecture} has no layer {layer}; it has {', '.join(self.layers)}, and layers such as "
                f"{listed(near, 6)}"
            ) from None
        if isinstance(output, list | tuple) or None in output.shape[1:]:
            raise ModelError(f"layer {layer} of {self.config.architecture} gives no vector")
        return output

    @cached_property
    def _layers(self) -> dict[str, Any]:
        return {layer.name: layer for layer in self.network.layers}

    def _named_like(self, name: str) -> list[str]:
        import difflib

        return difflib.get_close_matches(name, self._layers, n=6, cutoff=0.3) or list(self._layers)[-6:]

    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the weights and ``model.json``. See :meth:`TrainedModel.save`."""
        write_arrays(folder / _WEIGHTS, {}, to_arrays(self.network))
        manifest = write_manifest(
            folder,
            kind=self.kind,
            name=self.config.architecture,
            recipe=self.recipe,
            weights=(_WEIGHTS,),
            provenance=provenance,
            layers=self.layers,
            settings={"config": self.config.to_json(), "classes": list(self.classes)},
        )
        self.weights = manifest.digest

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """See :meth:`TrainedModel.load`."""
        config = ClassifierConfig.from_json(manifest.settings.get("config"))
        classes = manifest.settings.get("classes")
        if not isinstance(classes, list) or not classes:
            raise ModelError(f"{folder}: the manifest of a classifier names its classes, not {classes}")
        network = build(config, len(classes))
        try:
            assign_arrays(network, read_arrays(folder / _WEIGHTS))
        except ModelError as failure:
            raise ModelError(
                f"{folder / _WEIGHTS}: not the weights of a {config.architecture} with {len(classes)} classes: "
                f"{failure}"
            ) from failure
        return cls(config, network, [str(name) for name in classes], manifest.digest)

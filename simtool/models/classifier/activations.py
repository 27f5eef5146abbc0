"""The activations of the layers of a network; several layers share one pass."""

from __future__ import annotations

import difflib
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.errors import listed
from simtool.models.classifier.folding import Folding
from simtool.models.classifier.graph import SEPARATOR, Call, calls
from simtool.models.errors import ModelError
from simtool.models.interface import Model, Output, in_whole_batches
from simtool.tensorflow import load_tensorflow

__all__ = ["FINAL", "LOGITS", "PENULTIMATE", "Activations"]

#: Layers of every classifier.
PENULTIMATE, LOGITS, FINAL = "penultimate", "logits", "final"
#: Suffix of the name of a layer for its whole map, which is not averaged over pixels.
_FLAT = ":flat"
#: Images of one batch.
_BATCH = 32

#: From a whole batch of preprocessed images to the vectors of some layers.
_Graph = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


class Activations(Model):
    """A network whose layers can be embedded: layers with a name here, and any layer by its name in the network.

    A layer within a nested network is ``NETWORK/LAYER``. A map of activations is averaged over its pixels;
    ``NAME:flat`` keeps the whole map. If a layer is called several times, the call nearest to the output counts.

    Attributes:
        name: of the network in reports.
        network: a functional Keras model with one input, (b, height, width, 3).
    """

    name: str
    network: Any
    #: The last combination of layers, and its graph.
    _last: tuple[tuple[str, ...], _Graph] | None = None

    @property
    @abstractmethod
    def named(self) -> Mapping[str, Any]:
        """Tensors of the network with a name here, the default first."""

    def output(self, layer: str | None = None) -> Output:
        """See :meth:`Model.output`."""
        layer = self._named(layer)
        shape = self._shape(layer)
        return Output(f"{self.name} {layer}", shape if layer.endswith(_FLAT) else shape[-1:])

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """See :meth:`Model.embed`."""
        (vectors,) = self.embed_layers(images, (layer,))
        return vectors

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """The vectors of several layers, in one pass through the network. See :meth:`Model.embed_layers`."""
        names = tuple(map(self._named, layers))
        dimensions = [self.output(name).dimension for name in names]
        return in_whole_batches(self._graph(names), images, _BATCH, dimensions)

    @cached_property
    def _folding(self) -> Folding:
        return Folding()

    @cached_property
    def _calls(self) -> Mapping[str, Call]:
        return calls(self.network)

    @cached_property
    def _full_names(self) -> dict[str, str]:
        """Full names of layers by the partial names that users gave."""
        return {}

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        """Known activations by the full name of their layer."""
        return {}

    def _named(self, layer: str | None) -> str:
        """The full name of a layer; a name within a nested network is completed if it is unique."""
        if layer is None:
            return next(iter(self.named))
        name = layer.removesuffix(_FLAT)
        if layer in self.named or name in self._calls:
            return layer
        if name not in self._full_names:
            self._full_names[name] = self._completed(name)
        return self._full_names[name] + layer[len(name) :]

    def _completed(self, name: str) -> str:
        found = [full for full in self._calls if full.endswith(SEPARATOR + name)]
        if len(found) == 1:
            console.note(f"layer {name} of {self.name} is {found[0]}")
            return found[0]
        if found:
            raise ModelError(f"{self.name} has {len(found)} layers {name}: name one of {listed(found, 6)}")
        near = difflib.get_close_matches(name, self._calls, n=6, cutoff=0.3) or list(self._calls)[-6:]
        raise ModelError(
            f"{self.name} has no layer {name}; it has {', '.join(self.named)}, and layers such as {listed(near, 6)}"
        )

    def _graph(self, names: tuple[str, ...]) -> _Graph:
        """The graph of some layers; the last graph is kept."""
        if self._last is not None and self._last[0] == names:
            return self._last[1]
        tf = load_tensorflow()
        import keras

        tapped = self._folding.folded(keras.Model(self.network.inputs, {name: self._tensor(name) for name in names}))

        def vectors(images: Any) -> list[Any]:
            found = tapped([images], training=False)
            return [_vector(tf.cast(found[name], tf.float32), whole=name.endswith(_FLAT)) for name in names]

        signature = [tf.TensorSpec((_BATCH, *self.preprocessing.shape), tf.float32)]
        traced = tf.function(vectors, input_signature=signature, autograph=False).get_concrete_function()

        def graph(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            return [found.numpy() for found in traced(tf.constant(images))]

        self._last = (names, graph)
        return graph

    def _tensor(self, layer: str) -> Any:
        """The tensor of the activations of a layer, by its full name."""
        if layer in self.named:
            return self.named[layer]
        name = layer.removesuffix(_FLAT)
        if name not in self._tensors:
            outputs = self._calls[name].outputs
            if len(outputs) > 1 or len(outputs[0].shape) < 2:
                raise ModelError(f"layer {name} of {self.name} gives no vector")
            self._tensors[name] = outputs[0]
        return self._tensors[name]

    def _shape(self, layer: str) -> tuple[int, ...]:
        """The shape of the activations of a layer for one image; the network may take images of any size."""
        import keras

        tensor = self._tensor(layer)
        shape = tensor.shape
        if None in shape[1:]:
            shape = keras.Model(self.network.inputs, tensor).compute_output_shape((_BATCH, *self.preprocessing.shape))
        if None in shape[1:]:
            raise ModelError(f"layer {layer} of {self.name} gives vectors of no fixed length")
        return tuple(int(side) for side in shape[1:])


def _vector(activations: Any, whole: bool) -> Any:
    """Vectors (b, D) from activations (b, ..., channels)."""
    tf = load_tensorflow()
    if whole or len(activations.shape) == 2:
        return tf.reshape(activations, (activations.shape[0], math.prod(activations.shape[1:])))
    return tf.reduce_mean(activations, axis=list(range(1, len(activations.shape) - 1)))

"""The activations of the layers of a network; several layers share one pass."""

from __future__ import annotations

import difflib
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from simtool import console
from simtool.errors import listed
from simtool.models.classifier.folding import Folding
from simtool.models.classifier.graph import SEPARATOR, Call, calls
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape, Output
from simtool.models.network import FLAT, Network
from simtool.models.runtimes import FLOAT32, OPENVINO, Run, openvino, tensorflow
from simtool.tensorflow import load_tensorflow

__all__ = ["FINAL", "LOGITS", "PENULTIMATE", "Activations"]

#: Layers of every classifier.
PENULTIMATE, LOGITS, FINAL = "penultimate", "logits", "final"


class Activations(Network):
    """A network whose layers can be embedded: layers with a name here, and any layer by its name in the network.

    A layer within a nested network is ``NETWORK/LAYER``. A map of activations is averaged over its pixels;
    ``NAME:flat`` keeps the whole map. If a layer is called several times, the call nearest to the output counts.

    Attributes:
        network: a functional Keras model with one input, (b, height, width, 3).
        as_in_keras: whether TensorFlow computes every layer by itself in float32. Else normalisations are folded, which
            is faster, and moves vectors by about 1e-6 of the largest value.
    """

    network: Any
    as_in_keras: ClassVar[bool] = False

    @property
    @abstractmethod
    def named(self) -> Mapping[str, Any]:
        """Tensors of the network with a name here, the default first."""

    def output(self, layer: str | None = None) -> Output:
        """See :meth:`Model.output`."""
        layer = self.full_name(layer)
        shape = self._shape(layer)
        return Output(f"{self.name} {layer}", shape if layer.endswith(FLAT) else shape[-1:], layer=layer)

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

    def all_layers(self) -> list[LayerShape]:
        """The layers with a name here, then those of the network. See :meth:`Model.all_layers`."""
        import keras

        inner = {
            name: call.node.outputs
            for name, call in self._calls.items()
            if not isinstance(call.layer, keras.layers.InputLayer)
        }
        shapes: dict[str, tuple[int | None, ...]] = {name: self._shape(name) for name in self.named} | {
            name: tuple(outputs[0].shape)[1:]
            for name, outputs in inner.items()
            if len(outputs) == 1 and len(outputs[0].shape) > 1 and name not in self.named
        }
        shapes |= self._computed([name for name, shape in shapes.items() if None in shape])
        whole = {name: tuple(int(side) for side in shape if side) for name, shape in shapes.items()}
        return [LayerShape(name, shape, shape[-1]) for name, shape in whole.items() if len(shape) == len(shapes[name])]

    def _computed(self, layers: Sequence[str]) -> dict[str, tuple[int | None, ...]]:
        """The shapes of layers of a network that takes images of any size, as Keras computes them; None for any."""
        import keras

        if not layers:
            return {}
        tapped = keras.Model(self.network.inputs, [self._tensor(name) for name in layers])
        found = tapped.compute_output_shape((self.batch, *self.preprocessing.shape))
        return dict(zip(layers, (tuple(shape)[1:] for shape in found), strict=True))

    def full_name(self, layer: str | None) -> str:
        """A name within a nested network is completed if it is unique. See :meth:`Network.full_name`."""
        if layer is None:
            return next(iter(self.named))
        name = layer.removesuffix(FLAT)
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

    def compiled(self, layers: tuple[str, ...], precision: str) -> Run:
        """See :meth:`Network.compiled`."""
        if self.execution.runtime == OPENVINO:
            return openvino.compiled(self._traced(layers, folded=True), precision)
        return tensorflow.compiled(self._traced(layers, not self.as_in_keras or precision != FLOAT32), precision)

    def _traced(self, layers: tuple[str, ...], folded: bool) -> Any:
        """A concrete function of TensorFlow, from a batch of images to the vectors of some layers."""
        tf = load_tensorflow()
        import keras

        tapped = keras.Model(self.network.inputs, {name: self._tensor(name) for name in layers})
        if folded:
            tapped = self._folding.folded(tapped)

        def vectors(images: Any) -> list[Any]:
            found = tapped([images], training=False)
            return [_vector(tf.cast(found[name], tf.float32), whole=name.endswith(FLAT)) for name in layers]

        signature = [tf.TensorSpec((self.batch, *self.preprocessing.shape), tf.float32)]
        return tf.function(vectors, input_signature=signature, autograph=False).get_concrete_function()

    def _tensor(self, layer: str) -> Any:
        """The tensor of the activations of a layer, by its full name."""
        if layer in self.named:
            return self.named[layer]
        name = layer.removesuffix(FLAT)
        if name not in self._tensors:
            outputs = self._calls[name].outputs
            if len(outputs) > 1 or len(outputs[0].shape) < 2:
                raise ModelError(f"layer {name} of {self.name} gives no vector")
            self._tensors[name] = outputs[0]
        return self._tensors[name]

    def _shape(self, layer: str) -> tuple[int, ...]:
        """The shape of the activations of a layer for one image; the network may take images of any size."""
        shape = tuple(self._tensor(layer).shape)[1:]
        if None in shape:
            shape = self._computed([layer])[layer]
        if None in shape:
            raise ModelError(f"layer {layer} of {self.name} gives vectors of no fixed length")
        return tuple(int(side) for side in shape if side is not None)


def _vector(activations: Any, whole: bool) -> Any:
    """Vectors (b, D) from activations (b, ..., channels)."""
    tf = load_tensorflow()
    if whole or len(activations.shape) == 2:
        return tf.reshape(activations, (activations.shape[0], math.prod(activations.shape[1:])))
    return tf.reduce_mean(activations, axis=list(range(1, len(activations.shape) - 1)))

"""The activations of the layers of a network; several layers share one pass."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from simtool import console
from simtool.errors import listed
from simtool.models.classifier.folding import Folding
from simtool.models.classifier.graph import SEPARATOR, Call, calls, made_by
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape
from simtool.models.network import Network, Tap
from simtool.models.runtimes import FLOAT32, OPENVINO, Run, openvino, tensorflow
from simtool.tensorflow import load_tensorflow

__all__ = ["FINAL", "LOGITS", "PENULTIMATE", "Activations"]

#: Layers of every classifier.
PENULTIMATE, LOGITS, FINAL = "penultimate", "logits", "final"
#: Axes of a batch of maps.
_MAP = 4


class Activations(Network):
    """A network whose layers can be embedded: layers with a name here, and any layer by its name in the network.

    A layer within a nested network is ``NETWORK/LAYER``. If a layer is called several times, the call nearest to the
    output counts.

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

    @cached_property
    def names(self) -> Collection[str]:
        """See :meth:`Network.names`."""
        return frozenset((*self.named, *self._calls))

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

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Known shapes of maps by the full name of their layer."""
        return {}

    def all_layers(self) -> list[LayerShape]:
        """The layers with a name here, then those of the network. See :meth:`Model.all_layers`."""
        import keras

        inner = {
            name: call.node.outputs
            for name, call in self._calls.items()
            if not isinstance(call.layer, keras.layers.InputLayer)
        }
        shapes: dict[str, tuple[int | None, ...]] = {name: self.map_shape(name) for name in self.named} | {
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

    def full_name(self, name: str | None) -> str:
        """A name within a nested network is completed if it is unique. See :meth:`Network.full_name`."""
        if name is None:
            return next(iter(self.named))
        if name in self.names:
            return name
        if name not in self._full_names:
            self._full_names[name] = self._completed(name)
        return self._full_names[name]

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

    def map_before(self, name: str) -> str:
        """See :meth:`Network.map_before`."""
        node = made_by(self._tensor(name))
        while node.input_tensors:
            tensor = node.input_tensors[0]
            node = made_by(tensor)
            if len(tensor.shape) == _MAP and tensor.shape[1:3] != (1, 1) and node.operation.name in self._calls:
                return str(node.operation.name) if node.input_tensors else ""
        return ""

    def compiled(self, taps: tuple[Tap, ...], precision: str) -> Run:
        """See :meth:`Network.compiled`."""
        if self.execution.runtime == OPENVINO:
            return openvino.compiled(self._traced(taps, folded=True), precision)
        folded = not self.as_in_keras or precision != FLOAT32
        return tensorflow.compiled(self._traced(taps, folded), precision, self.execution.xla)

    def _traced(self, taps: tuple[Tap, ...], folded: bool) -> Any:
        """A concrete function of TensorFlow, from a batch of images to the vectors of some layers."""
        tf = load_tensorflow()
        import keras

        tapped = keras.Model(self.network.inputs, {tap.name: self._tensor(tap.name) for tap in taps})
        if folded:
            tapped = self._folding.folded(tapped)

        def vectors(images: Any) -> list[Any]:
            found = tapped([images], training=False)
            return [tap.pooling.vectors(tf.cast(found[tap.name], tf.float32), keras.ops) for tap in taps]

        signature = [tf.TensorSpec((self.batch, *self.preprocessing.shape), tf.float32)]
        return tf.function(vectors, input_signature=signature, autograph=False).get_concrete_function()

    def _tensor(self, name: str) -> Any:
        """The tensor of the activations of a layer, by its full name."""
        if name in self.named:
            return self.named[name]
        if name not in self._tensors:
            outputs = self._calls[name].outputs
            if len(outputs) > 1 or len(outputs[0].shape) < 2:
                raise ModelError(f"layer {name} of {self.name} gives no vector")
            self._tensors[name] = outputs[0]
        return self._tensors[name]

    def map_shape(self, name: str) -> tuple[int, ...]:
        """The network may take images of any size. See :meth:`Network.map_shape`."""
        if name not in self._shapes:
            shape = tuple(self._tensor(name).shape)[1:]
            if None in shape:
                shape = self._computed([name])[name]
            if None in shape:
                raise ModelError(f"layer {name} of {self.name} gives vectors of no fixed length")
            self._shapes[name] = tuple(int(side) for side in shape if side is not None)
        return self._shapes[name]

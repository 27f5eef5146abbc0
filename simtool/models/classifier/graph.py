"""The graph of a network: the calls of its layers, and of the layers of nested networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["SEPARATOR", "Call", "calls", "dense_head", "is_network", "made_by", "nodes"]

#: Between the name of a nested network and the name of a layer within it.
SEPARATOR = "/"


@dataclass(frozen=True)
class Call:
    """A call of a layer in a network, or in a nested network.

    Attributes:
        node: of Keras: the layer, its inputs and its outputs.
        outer: the calls of the nested networks around it, the outermost first.
    """

    node: Any
    outer: tuple[Any, ...] = ()

    @property
    def layer(self) -> Any:
        """The layer that was called."""
        return self.node.operation

    @property
    def name(self) -> str:
        """The name of the layer after the names of the nested networks around it: ``backbone/conv5``."""
        return SEPARATOR.join(node.operation.name for node in (*self.outer, self.node))

    @property
    def inputs(self) -> list[Any]:
        """The inputs of the call, in the graph of the outermost network."""
        return [self._raised(tensor) for tensor in self.node.input_tensors]

    @property
    def outputs(self) -> list[Any]:
        """The outputs of the call, in the graph of the outermost network."""
        return [self._raised(tensor) for tensor in self.node.outputs]

    def _raised(self, tensor: Any) -> Any:
        import keras

        # A nested network has its own graph; call it again in the graph of the outer network.
        for node in reversed(self.outer):
            tensor = keras.Model(node.operation.inputs, tensor)(node.input_tensors)
        return tensor


def is_network(layer: Any) -> bool:
    """Whether a layer is a network with a graph."""
    import keras

    return isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))


def calls(network: Any) -> dict[str, Call]:
    """The calls that lead to the outputs of a network, from its inputs on, by the name of their layer.

    If a layer is called several times, the call nearest to the outputs counts.
    """
    return {call.name: call for call in _calls(network, ())}


def _calls(network: Any, outer: tuple[Any, ...]) -> Iterator[Call]:
    for node in nodes(network):
        if is_network(node.operation):
            yield from _calls(node.operation, (*outer, node))
        yield Call(node, outer)


def nodes(network: Any) -> list[Any]:
    """The nodes of the graph of a network, in topological order."""
    inputs = {id(tensor) for tensor in network.inputs}
    found: dict[int, Any] = {}
    waiting = [(made_by(tensor), False) for tensor in reversed(network.outputs)]
    while waiting:
        node, ready = waiting.pop()
        if id(node) in found:
            continue
        if ready:
            found[id(node)] = node
            continue
        waiting.append((node, True))
        if not any(id(tensor) in inputs for tensor in node.outputs):
            waiting.extend((made_by(tensor), False) for tensor in reversed(node.input_tensors))
    return list(found.values())


def made_by(tensor: Any) -> Any:
    """The node whose output a tensor is."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def dense_head(network: Any) -> Call | None:
    """The call of the dense layer whose values are the output of the network, up to activation and dropout.

    Returns:
        None if the output does not come from a dense layer: the network has no head.
    """
    import keras

    aside = (keras.layers.Activation, keras.layers.Softmax, keras.layers.ReLU, keras.layers.Dropout)
    outer: tuple[Any, ...] = ()
    tensor = network.outputs[0]
    while True:
        inputs = outer[-1].operation.inputs if outer else ()
        if entered := [place for place, one in enumerate(inputs) if one is tensor]:
            # The beginning of a nested network: continue with the input of its call.
            tensor, outer = outer[-1].input_tensors[entered[0]], outer[:-1]
            continue
        node = made_by(tensor)
        if isinstance(node.operation, keras.layers.Dense):
            return Call(node, outer)
        if is_network(node.operation):
            tensor, outer = node.operation.outputs[tensor._keras_history.tensor_index], (*outer, node)
        elif isinstance(node.operation, aside):
            tensor = node.input_tensors[0]
        else:
            return None

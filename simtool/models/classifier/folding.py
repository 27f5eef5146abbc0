"""Batch normalisation, folded into the convolutions before it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from simtool.models.classifier.graph import is_network, made_by, nodes

__all__ = ["Folding"]

#: The only type with which a network computes that is folded; others round between the two layers.
_FLOAT = "float32"


class Folding:
    """Copies of networks, for embedding, that compute each batch normalisation within the convolution before it.

    A trained normalisation multiplies each channel by s = gamma / sqrt(variance + epsilon), and adds beta - s mean.
    A convolution with the kernel s K and the bias s b + beta - s mean computes the same, up to rounding (Jacob et al.,
    2018, Quantization and training of neural networks, section 3.2). TensorFlow then computes the convolution, the
    bias, the addition of a shortcut and the rectifier in one operation.

    A copy shares the other layers with its network, and the folded convolutions with the other copies: common parts of
    several copies are computed once.
    """

    def __init__(self) -> None:
        self._convolutions: dict[tuple[int, int], Any] = {}

    def folded(self, network: Any) -> Any:
        """A network with the values of ``network``, up to rounding; the same network if there is nothing to fold."""
        import keras

        pairs = _pairs(network)
        nested = [node.operation for node in nodes(network) if is_network(node.operation)]
        copies = {id(one): self.folded(one) for one in nested}
        if not pairs and all(copies[id(one)] is one for one in nested):
            return network
        normalizations = {id(normalization) for _, normalization in pairs.values()}

        def replaced(layer: Any) -> Any:
            return self._convolution(*pairs[id(layer)]) if id(layer) in pairs else copies.get(id(layer), layer)

        def called(layer: Any, *values: Any, **named: Any) -> Any:
            return [*values, *named.values()][0] if id(layer) in normalizations else layer(*values, **named)

        if isinstance(network, keras.Sequential):  # which Keras copies in another way
            network = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
        return keras.models.clone_model(network, clone_function=replaced, call_function=called)

    def _convolution(self, node: Any, normalization: Any) -> Any:
        key = id(node.operation), id(normalization)
        if key not in self._convolutions:
            self._convolutions[key] = _convolution(node, normalization)
        return self._convolutions[key]


def _pairs(network: Any) -> dict[int, tuple[Any, Any]]:
    """The convolutions that can be folded, by the identity of their layer: the node, and the normalisation after it."""
    import keras

    found = nodes(network)
    uses = Counter(id(tensor) for node in found for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in network.outputs)
    calls = Counter(id(node.operation) for node in found)
    pairs = {}
    for node in found:
        if type(node.operation) is not keras.layers.BatchNormalization or calls[id(node.operation)] > 1:
            continue
        tensor = node.input_tensors[0]
        before = made_by(tensor)
        if uses[id(tensor)] == calls[id(before.operation)] == 1 and _folds(before.operation, node.operation):
            pairs[id(before.operation)] = before, node.operation
    return pairs


def _folds(layer: Any, normalization: Any) -> bool:
    import keras

    convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
    return (
        type(layer) in convolutions
        and layer.data_format == "channels_last"
        and normalization.axis in (-1, 3)
        and layer.activation is keras.activations.linear
        and layer.compute_dtype == normalization.compute_dtype == _FLOAT
        and layer.quantization_mode is None
        and not getattr(layer, "lora_enabled", False)
    )


def _convolution(node: Any, normalization: Any) -> Any:
    """The convolution that computes both layers."""
    import keras

    layer = node.operation
    weights = layer.get_weights()
    *before, kernel = weights[:-1] if layer.use_bias else weights
    bias = weights[-1] if layer.use_bias else 0.0
    deviation = np.sqrt(_values(normalization.moving_variance) + normalization.epsilon)
    scale = (_values(normalization.gamma) if normalization.scale else 1.0) / deviation
    shift = scale * (bias - _values(normalization.moving_mean))
    shift += _values(normalization.beta) if normalization.center else 0.0
    # The kernel of a depthwise convolution has two axes for its output channels.
    factor = scale.reshape(kernel.shape[2:]) if type(layer) is keras.layers.DepthwiseConv2D else scale
    config = layer.get_config()
    empty = dict.fromkeys((name for name in config if name.endswith("_initializer")), "zeros")
    folded = type(layer).from_config(config | empty | {"use_bias": True})
    folded.build(node.input_tensors[0].shape)
    folded.set_weights([*before, kernel * factor, shift])
    return folded


def _values(weight: Any) -> Any:
    return np.asarray(weight.numpy(), np.float64)

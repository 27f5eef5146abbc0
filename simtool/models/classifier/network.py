"""The network of a classifier from ``keras.applications``, with logits as its output."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from simtool.errors import UsageError, first_line
from simtool.kinds import kind_of
from simtool.models.classifier.architectures import SMALL
from simtool.models.classifier.config import ClassifierConfig
from simtool.models.classifier.small import resnet20
from simtool.models.errors import ModelError
from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import Arrays, assign_arrays

__all__ = [
    "HEAD",
    "build",
    "count_parameters",
    "load_arrays",
    "load_backbone",
    "named_weights",
    "rate_multipliers",
    "scale_twice",
    "settle",
]

#: The layer that is new for each set of classes.
HEAD = "predictions"
#: Number of parts of the network, from its beginning to its end, with different learning rates.
_PARTS = 5
#: Standard deviations of ImageNet's red, green and blue. EfficientNetB0 to B7 with ImageNet weights divide normalized
#: colors by their square roots once more; Keras adds a layer for this to the network with ImageNet weights. Here, the
#: variance of the normalization is multiplied by these values, which gives the same colors.
_DEVIATIONS = (0.229, 0.224, 0.225)


def build(config: ClassifierConfig, classes: int) -> Any:
    """An untrained network.

    Returns:
        A functional Keras model from (b, size, size, 3) to (b, classes) logits.
    """
    tf = load_tensorflow()
    import keras

    backbone = _backbone(config)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = config.batch_norm_momentum
            # Several devices share the statistics of the whole batch.
            layer.synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    logits = keras.layers.Dense(classes, name=HEAD)(backbone.output)
    return keras.Model(backbone.input, logits, name=config.architecture)


def load_backbone(network: Any, config: ClassifierConfig, weights: Path | None) -> None:
    """Copy the weights of a network that was trained on ImageNet, except for the last layer.

    ``weights`` is a published file of weights without the top; None downloads it.

    Raises:
        UsageError: the architecture has no published weights.
        ModelError: the download fails, or the file belongs to another architecture.
    """
    try:
        source = _backbone(config, published=weights is None)
    except UsageError:
        raise
    except Exception as failure:
        raise ModelError(
            f"the ImageNet weights of {config.architecture} cannot be downloaded ({failure}); download the file "
            f"that ends in _notop.h5 on another machine, and give it as --weights FILE"
        ) from failure
    if weights is not None:
        _load(source, weights, config)
    _take_over(network, source, config)


def _take_over(network: Any, source: Any, config: ClassifierConfig) -> None:
    """Copy the weights of all layers but the last layer."""
    # By position: the names that Keras chooses itself differ between two networks.
    targets, layers = (
        [layer for layer in one.layers if layer.weights and layer.name != HEAD] for one in (network, source)
    )
    if [type(layer) for layer in targets] != [type(layer) for layer in layers]:
        raise ModelError(
            f"this version of Keras builds {config.architecture} in two ways, with and without its weights"
        )
    for target, layer in zip(targets, layers, strict=True):
        target.set_weights(layer.get_weights())
    if config.scaled:
        scale_twice(network)
    settle(network)


def scale_twice(network: Any) -> None:
    """Let an EfficientNet scale colors once more, as Keras does in a network with ImageNet weights."""
    normalization = next(layer for layer in network.layers if type(layer).__name__ == "Normalization")
    normalization.adapt_variance.assign(normalization.adapt_variance * np.array(_DEVIATIONS, np.float32))
    settle(network)


def settle(network: Any) -> None:
    """Let layers compute the values that depend on their weights."""
    for layer in network.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _backbone(config: ClassifierConfig, published: bool = False) -> Any:
    """A network without its last layer; ``published``: with ImageNet weights, which are downloaded once."""
    import keras

    if published and config.architecture == SMALL:
        raise UsageError(f"{SMALL} has no ImageNet weights; train it from scratch, or use --weights FILE")
    make = resnet20 if config.architecture == SMALL else getattr(keras.applications, config.architecture)
    weights, shape = "imagenet" if published else None, (config.size, config.size, 3)
    return make(weights=weights, include_top=False, input_shape=shape, pooling="avg")


def _load(network: Any, weights: Path, config: ClassifierConfig) -> None:
    if not weights.is_file():
        raise ModelError(f"{weights}: no such file of weights")
    try:
        # Keras prints a warning for each part of the file that it does not know.
        with warnings.catch_warnings(action="ignore"):
            network.load_weights(weights)
    except Exception as failure:  # a file from elsewhere can make Keras raise any exception
        # A message of Keras has many lines, with a list of all layers.
        reason = first_line(failure)
        raise ModelError(
            f"{weights}: this is {kind_of(weights).description}; these are not the weights of a {config.architecture} "
            f"without its top: {reason:.200}"
        ) from failure


def count_parameters(network: Any) -> int:
    """The number of trained values."""
    return sum(int(variable.value.shape.num_elements()) for variable in network.trainable_variables)


def named_weights(network: Any) -> dict[str, Any]:
    """Every weight by the name of its layer and its own name: ``conv1_conv/kernel``.

    Keras counts the names that it chooses itself (variable_12, conv2d_7) over the whole process. Here they are counted
    over the network.
    """
    found: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for layer in filter(lambda layer: layer.weights, network.layers):
        kind = type(layer).__name__.lower()
        name = layer.name
        if re.sub(r"_\d+$", "", name).replace("_", "") == kind:
            seen[kind] += 1
            name = f"{kind}-{seen[kind]}"
        for place, weight in enumerate(layer.weights):
            found[f"{name}/{place if weight.name.startswith('variable') else weight.name}"] = weight
    return found


def load_arrays(network: Any, arrays: Arrays) -> None:
    """Assign arrays to the weights with the same names."""
    assign_arrays(named_weights(network), arrays)
    settle(network)


def rate_multipliers(network: Any, decay: float) -> list[float]:
    """Factors of the learning rate, one per trained variable: 1 for the last layer, smaller towards the beginning.

    ``decay`` is the factor from each fifth of the layers to the fifth before it.
    """
    layers = [layer for layer in network.layers if layer.trainable_variables]
    rates = {}
    for place, layer in enumerate(layers):
        part = _PARTS if layer.name == HEAD else place * _PARTS // len(layers)
        for variable in layer.trainable_variables:
            rates[id(variable)] = decay ** (_PARTS - part)
    return [rates[id(variable)] for variable in network.trainable_variables]

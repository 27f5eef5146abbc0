"""The network inside a coupling: three convolutions, of 3x3, 1x1 and 3x3 pixels (Kingma & Dhariwal, 2018, 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.glow.config import GlowConfig

__all__ = ["hidden", "initial", "output", "prepare", "shapes"]

#: Factor on the learning rate of log_gain (logscale_factor in the reference implementation).
GAIN_RATE = 3.0


def shapes(inputs: int, outputs: int, config: GlowConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a network with ``inputs`` and ``outputs`` channels."""
    width = config.width
    shapes: dict[str, tuple[int, ...]] = {
        "coupling/first/kernel": (3, 3, inputs, width),
        "coupling/first/bias": (width,),
        "coupling/middle/kernel": (width, width),
        "coupling/middle/bias": (width,),
        "coupling/last/kernel": (3, 3, width, outputs),
        "coupling/last/bias": (outputs,),
    }
    # TensorFlow Probability's network has no gain.
    return shapes if config.variant == "study" else {**shapes, "coupling/last/log_gain": (outputs,)}


def initial(
    inputs: int, outputs: int, config: GlowConfig, generator: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Kernels after He et al. (2015), and zeros in the last layer, so that an untrained network gives zeros."""
    weights = {}
    for name, shape in shapes(inputs, outputs, config).items():
        fans_out = name in ("coupling/first/kernel", "coupling/middle/kernel")
        deviation = np.sqrt(2 / np.prod(shape[:-1])) if fans_out else 0.0
        weights[name] = deviation * generator.standard_normal(shape)
    return weights


def hidden(weights: Mapping[str, Any], x: Any, config: GlowConfig) -> Any:
    """The activations of the second layer: (b, h, w, width), in ``config.compute_dtype`` or float64."""
    dtype = _compute_dtype(weights, config)
    kernel, bias = (ops.cast(weights[f"coupling/first/{part}"], dtype) for part in ("kernel", "bias"))
    first = ops.relu(_convolve(ops.cast(x, dtype), kernel, bias))
    kernel, bias = (ops.cast(weights[f"coupling/middle/{part}"], dtype) for part in ("kernel", "bias"))
    middle = ops.add(ops.reshape(first, (-1, first.shape[-1])) @ kernel, bias)  # faster than a 1x1 convolution
    return ops.reshape(ops.relu(middle), (-1, *x.shape[1:-1], kernel.shape[-1]))


def prepare(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights for :func:`output`: the gain is a factor of kernel and bias, exp(3 log_gain). Any leading axes."""
    inside = {name: weight for name, weight in weights.items() if name.startswith("coupling/")}
    if (log_gain := inside.pop("coupling/last/log_gain", None)) is None:
        return inside
    gain = ops.exp(GAIN_RATE * log_gain)
    inside["coupling/last/kernel"] = inside["coupling/last/kernel"] * ops.expand_dims(gain, (-4, -3, -2))
    inside["coupling/last/bias"] = inside["coupling/last/bias"] * gain
    return inside


def output(prepared: Mapping[str, Any], inside: Any) -> Any:
    """The output (b, h, w, outputs) of a network with these hidden activations, in the type of the weights."""
    bias = prepared["coupling/last/bias"]
    kernel = ops.cast(prepared["coupling/last/kernel"], inside.dtype)
    last = ops.cast(ops.conv(inside, kernel, padding="same", data_format="channels_last"), bias.dtype)
    return ops.add(last, bias)


def _convolve(x: Any, kernel: Any, bias: Any) -> Any:
    # Not ``+``: TensorFlow fuses ``ops.add`` of a bias with the convolution and with its gradient.
    return ops.add(ops.conv(x, kernel, padding="same", data_format="channels_last"), bias)


def _compute_dtype(weights: Mapping[str, Any], config: GlowConfig) -> str:
    """The type of the arithmetic: float64 for float64 weights, else ``config.compute_dtype``."""
    found: str = keras.backend.standardize_dtype(weights["coupling/first/kernel"].dtype)
    return found if found == "float64" else config.compute_dtype

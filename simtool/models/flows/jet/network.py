"""The network of a coupling: a Vision Transformer without its head (Dosovitskiy et al., 2021).

A linear map of each token, learned embeddings of places, transformer blocks with layer normalization before attention
and before the two-layer network, and a last linear map, whose weights start at zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.chain import NETWORK
from simtool.models.flows.jet.config import JetConfig

__all__ = ["LAST_BIAS", "hidden", "initial", "output", "shapes"]

#: The name of a bias, whose type is the type of the output.
LAST_BIAS = f"{NETWORK}last/bias"
#: Hidden units of the two-layer network of a block, as a multiple of the width.
_EXPANSION = 4
#: Added to variances.
_EPSILON = 1e-6


def shapes(config: JetConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of one network."""
    height, width_, values = config.level_shape(1)
    width, inside = config.width, _EXPANSION * config.width
    found: dict[str, tuple[int, ...]] = {
        **_linear("first", values // 2, width),
        "places": (height * width_, width),
    }
    for number in range(1, config.depth + 1):
        block = f"block-{number}"
        found |= _norm(f"{block}/attention/norm", width)
        found |= _linear(f"{block}/attention/inner", width, 3 * width)
        found |= _linear(f"{block}/attention/outer", width, width)
        found |= _norm(f"{block}/mlp/norm", width)
        found |= _linear(f"{block}/mlp/inner", width, inside)
        found |= _linear(f"{block}/mlp/outer", inside, width)
    found |= _norm("norm", width)
    found |= _linear("last", width, values)
    return {f"{NETWORK}{name}": shape for name, shape in found.items()}


def initial(config: JetConfig, generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Random kernels, and zeros in the last layer, so that an untrained network gives zeros.

    Kernels of blocks are uniform after Glorot & Bengio (2010), for queries, keys and values one by one; the first
    kernel is normal after LeCun et al. (1998); embeddings of places have the variance 1 / width.
    """
    weights: dict[str, NDArray[np.float64]] = {}
    for name, shape in shapes(config).items():
        if name.endswith("/scale"):
            weights[name] = np.ones(shape)
        elif name == f"{NETWORK}places":
            weights[name] = generator.standard_normal(shape) / math.sqrt(config.width)
        elif name == f"{NETWORK}first/kernel":
            weights[name] = generator.standard_normal(shape) / math.sqrt(shape[0])
        elif "/block-" in name and name.endswith("/kernel"):
            outputs = config.width if "/attention/" in name else shape[1]
            limit = math.sqrt(6 / (shape[0] + outputs))
            weights[name] = generator.uniform(-limit, limit, shape)
        else:
            weights[name] = np.zeros(shape)
    return weights


def hidden(weights: Mapping[str, Any], x: Any, config: JetConfig) -> Any:
    """The input of the last layer: the normalized tokens after the last block.

    Args:
        weights: of one network.
        x: (b, tokens, values).
        config: of the flow.

    Returns:
        (b, tokens, width), in ``config.compute_dtype`` or float64.
    """
    dtype = _compute_dtype(weights, config)
    inside = {name.removeprefix(NETWORK): weight for name, weight in weights.items() if name.startswith(NETWORK)}
    own = {name: ops.cast(weight, dtype) for name, weight in inside.items()}
    tokens = _map(own, "first", ops.cast(x, dtype)) + own["places"]
    for number in range(1, config.depth + 1):
        attention, mlp = f"block-{number}/attention", f"block-{number}/mlp"
        tokens = tokens + _attend(own, attention, _normalized(own, f"{attention}/norm", tokens), config)
        inside = ops.gelu(_map(own, f"{mlp}/inner", _normalized(own, f"{mlp}/norm", tokens)), approximate=True)
        tokens = tokens + _map(own, f"{mlp}/outer", inside)
    return _normalized(own, "norm", tokens)


def output(weights: Mapping[str, Any], inside: Any) -> Any:
    """The output (b, tokens, 2 values) of a network with these hidden activations, in the type of the last bias."""
    bias = weights[LAST_BIAS]
    last = inside @ ops.cast(weights[f"{NETWORK}last/kernel"], inside.dtype)
    return ops.add(ops.cast(last, bias.dtype), bias)


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/scale": (width,), f"{name}/bias": (width,)}


def _map(own: Mapping[str, Any], name: str, x: Any) -> Any:
    """A linear map of each token, as one matrix product."""
    kernel = own[f"{name}/kernel"]
    flat = ops.add(ops.reshape(x, (-1, kernel.shape[0])) @ kernel, own[f"{name}/bias"])
    return ops.reshape(flat, (-1, x.shape[1], kernel.shape[1]))


def _normalized(own: Mapping[str, Any], name: str, x: Any) -> Any:
    """Layer normalization (Ba et al., 2016); mean and variance in at least float32."""
    exact = ops.cast(x, _at_least_float32(x))
    centered = exact - ops.mean(exact, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
    normalized = ops.cast(centered * ops.rsqrt(variance + _EPSILON), x.dtype)
    return normalized * own[f"{name}/scale"] + own[f"{name}/bias"]


def _attend(own: Mapping[str, Any], name: str, x: Any, config: JetConfig) -> Any:
    """Self-attention with several heads (Vaswani et al., 2017)."""
    tokens, of_head = x.shape[1], config.width // config.heads
    parts = ops.reshape(_map(own, f"{name}/inner", x), (-1, tokens, 3, config.heads, of_head))
    query, key, value = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)), 3)
    scores = ops.matmul(query * (1 / math.sqrt(of_head)), ops.transpose(key, (0, 1, 3, 2)))
    shares = ops.cast(ops.softmax(ops.cast(scores, _at_least_float32(scores))), x.dtype)
    seen = ops.transpose(ops.matmul(shares, value), (0, 2, 1, 3))
    return _map(own, f"{name}/outer", ops.reshape(seen, (-1, tokens, config.width)))


def _at_least_float32(x: Any) -> str:
    found: str = keras.backend.standardize_dtype(x.dtype)
    return found if found == "float64" else "float32"


def _compute_dtype(weights: Mapping[str, Any], config: JetConfig) -> str:
    """The type of the arithmetic: float64 for float64 weights, else ``config.compute_dtype``."""
    found: str = keras.backend.standardize_dtype(weights[f"{NETWORK}first/kernel"].dtype)
    return found if found == "float64" else config.compute_dtype

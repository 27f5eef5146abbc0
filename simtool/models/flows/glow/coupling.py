"""Coupling: one half of the channels is transformed, given the other (Dinh et al., 2017; Kingma & Dhariwal, 2018, 3.3).

y_a = x_a and y_b = s x_b + t. A network computes (h_s, t) from x_a. The scale s is sigmoid(h_s + 2) for an affine
coupling, and 1 for an additive coupling. ``transform`` and ``invert`` take the output of the network, so that one
evaluation of the network can serve the inverse and the gradient.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from simtool.models.flows.glow.config import GlowConfig

__all__ = ["halves", "invert", "log_det_by_place", "outputs", "transform"]

#: Added to h_s, so that an untrained coupling scales by sigmoid(2) = 0.88.
_SHIFT = 2.0
#: The least scale in the variant ``glow``: the inverse of a step multiplies by ten at most. With 0.01, samples at
#: temperature 1 of a flow of 24 steps overflowed, and the likelihood was the same. TensorFlow Probability has no floor.
_FLOOR = 0.1


def outputs(channels: int, config: GlowConfig) -> tuple[int, int]:
    """The number of input and output channels of the network of a coupling, for a step with ``channels`` channels."""
    given = channels // 2
    transformed = channels - given
    return given, transformed * (2 if config.coupling == "affine" else 1)


def halves(x: Any) -> tuple[Any, Any]:
    """The channels that the network sees, and the channels that are transformed."""
    given = x.shape[-1] // 2
    x_a, x_b = ops.split(x, [given], axis=-1)  # not two slices: the gradient of a split is one concatenation
    return x_a, x_b


def transform(h: Any, x_b: Any, config: GlowConfig) -> tuple[Any, Any]:
    """y_b from the output h of the network, and the log-determinant of each image (b,)."""
    if config.coupling == "additive":
        return x_b + ops.cast(h, x_b.dtype), ops.zeros_like(x_b[:, 0, 0, 0])
    scale, log_scale, shift = (ops.cast(part, x_b.dtype) for part in _affine(h, config))
    return x_b * scale + shift, ops.sum(log_scale, axis=(1, 2, 3))


def log_det_by_place(h: Any, config: GlowConfig, dtype: Any) -> Any:
    """The log-determinant at each place (b, h, w) from the output h of the network, in the type ``dtype``."""
    if config.coupling == "additive":
        return ops.cast(ops.zeros_like(h[..., 0]), dtype)
    return ops.sum(ops.cast(_affine(h, config)[1], dtype), axis=-1)


def invert(h: Any, y_b: Any, config: GlowConfig) -> Any:
    """x_b = (y_b - t) / s."""
    if config.coupling == "additive":
        return y_b - ops.cast(h, y_b.dtype)
    # The scale has fewer digits than y_b in a precise inverse: divide by exactly the scale of the forward pass.
    scale, _, shift = (ops.cast(part, y_b.dtype) for part in _affine(h, config))
    return (y_b - shift) / scale


def _affine(h: Any, config: GlowConfig) -> tuple[Any, Any, Any]:
    """s, log s and t."""
    raw, shift = ops.split(h, 2, axis=-1)
    raw = raw + _SHIFT
    if config.variant == "study":
        log_scale = ops.log_sigmoid(raw)
        return ops.exp(log_scale), log_scale, shift
    scale = _FLOOR + (1 - _FLOOR) * ops.sigmoid(raw)  # at least the floor, so its logarithm is safe
    return scale, ops.log(scale), shift

"""The priors of the latents (Kingma & Dhariwal, 2018, section 3.6).

A split prior: at each split one half of the channels leaves the flow. Its distribution is normal, with a mean and a
scale that a convolution computes from the other half. At the deepest scale, mean and scale of each channel are learned,
one pair for all images or one pair per class. The variant ``study``, which follows TensorFlow Probability, has a
standard normal distribution there, and another parametrization of the split priors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.encoding import Normal
from simtool.models.flows.glow.config import GlowConfig

__all__ = ["class_log_probs", "deepest", "initial", "shapes", "split", "within_classes"]

#: Factor on the learning rate of log_gain, as in the coupling networks.
_GAIN_RATE = 3.0
#: Added to h_s in the variant ``study``.
_SHIFT = 2.0


def shapes(level: int, config: GlowConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the trained weights of the prior of a level; empty where the prior is fixed."""
    channels = config.scale_shape(level)[-1]
    if level == config.levels:
        if config.variant == "study":
            return {}
        shape = (config.classes, channels) if config.classes else (channels,)
        return {"prior/mean": shape, "prior/log_scale": shape}
    gain = {} if config.variant == "study" else {"prior/log_gain": (2 * channels,)}
    return {"prior/kernel": (3, 3, channels, 2 * channels), "prior/bias": (2 * channels,), **gain}


def initial(level: int, config: GlowConfig) -> dict[str, NDArray[np.float64]]:
    """Weights that give standard normal distributions, which the latents have after the initialisation of actnorm.

    TensorFlow Probability starts its split priors at a scale of exp(-2) instead. A flow then first learns to shrink its
    latents, unevenly, and its inverse magnifies rounding errors until it has learned more.
    """
    found = {name: np.zeros(shape) for name, shape in shapes(level, config).items()}
    if config.variant == "study" and found:
        bias = found["prior/bias"]
        bias[: len(bias) // 2] = -_SHIFT
    return found


def split(weights: Mapping[str, Any], staying: Any, config: GlowConfig) -> Normal:
    """The split prior: the distribution of the half that leaves the flow."""
    kernel, channels = weights["prior/kernel"], staying.shape[-1]
    h = ops.conv(ops.cast(staying, kernel.dtype), kernel, padding="same", data_format="channels_last")
    h = h + weights["prior/bias"]
    if config.variant == "study":
        h = ops.cast(h, staying.dtype)
        # z exp(h_s + 2) + h_t is standard normal: z has the scale exp(-h_s - 2), and the mean -h_t exp(-h_s - 2).
        log_scale = -(h[..., :channels] + _SHIFT)
        return Normal(-h[..., channels:] * ops.exp(log_scale), log_scale)
    h = ops.cast(h * ops.exp(_GAIN_RATE * weights["prior/log_gain"]), staying.dtype)
    return Normal(h[..., channels:], h[..., :channels])


def deepest(weights: Mapping[str, Any], latents: Any, labels: Any | None, config: GlowConfig) -> Normal:
    """The distribution of the latents of the deepest scale.

    Args:
        weights: of the prior of the level.
        latents: (b, h, w, c), for their shape and type.
        labels: (b,) int32 classes; None for the mean and variance over all classes, equally frequent.
        config: of the flow.
    """
    if config.variant == "study":
        zeros = ops.zeros_like(latents)
        return Normal(zeros, zeros)
    mean, log_scale = (ops.cast(weights[name], latents.dtype) for name in ("prior/mean", "prior/log_scale"))
    if config.classes and labels is not None:
        mean, log_scale = (ops.take(weight, labels, axis=0)[:, None, None, :] for weight in (mean, log_scale))
    elif config.classes:
        variance = ops.mean(ops.exp(2 * log_scale), axis=0) + ops.var(mean, axis=0)
        mean, log_scale = ops.mean(mean, axis=0), 0.5 * ops.log(variance)
    ones = ops.ones_like(latents)
    return Normal(mean * ones, log_scale * ones)


def class_log_probs(weights: Mapping[str, Any], latents: Any) -> Any:
    """Log-density log p(z | y) of the deepest latents (b, h, w, c) for each class, in nats: (b, classes)."""
    expanded = latents[:, None]
    mean, log_scale = (
        ops.cast(weights[name], expanded.dtype)[None, :, None, None, :] for name in ("prior/mean", "prior/log_scale")
    )
    return Normal(mean, log_scale + ops.zeros_like(expanded)).log_prob(expanded)


def within_classes(weights: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean over classes, and root mean square of the deviations within them: (c,) each."""
    return ops.mean(weights["prior/mean"], axis=0), ops.sqrt(ops.mean(ops.exp(2 * weights["prior/log_scale"]), axis=0))

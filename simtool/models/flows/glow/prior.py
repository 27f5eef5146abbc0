"""The priors of the latents: what leaves the flow at a scale, given what goes on (Kingma & Dhariwal, 2018, 3.6).

At each split one half of the channels leaves, and is expected to be normal with a mean and a scale that a convolution
of the other half gives. At the deepest scale, mean and scale of each channel are learned, one pair for all images or
one per class. The arrangement of TensorFlow Probability, which the original study trained, has the standard normal
distribution there, and another parametrisation at the splits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.flows.glow.config import FlowConfig

__all__ = ["Normal", "class_log_probs", "deepest", "initial", "shapes", "split", "within_classes"]

#: log_gain is learned this much faster than the other weights, as in the coupling networks.
_GAIN_RATE = 3.0
#: Added to h_s in the study's arrangement.
_SHIFT = 2.0


class Normal(NamedTuple):
    """Independent normal distributions.

    Attributes:
        mean: of a shape that latents broadcast with.
        log_scale: logarithm of the standard deviation.
    """

    mean: Any
    log_scale: Any

    def standardize(self, latents: Any) -> Any:
        """Latents in units of the standard deviation, from the mean."""
        return (latents - self.mean) * ops.exp(-self.log_scale)

    def restore(self, standardized: Any) -> Any:
        """The inverse of :meth:`standardize`."""
        return standardized * ops.exp(self.log_scale) + self.mean

    def log_prob(self, latents: Any) -> Any:
        """Log-density of each image in nats, (b,)."""
        squares = ops.square(self.standardize(latents))
        return -ops.sum(0.5 * (squares + math.log(2 * math.pi)) + self.log_scale, axis=(-3, -2, -1))


def shapes(level: int, config: FlowConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the trained weights of a level's prior; none where it is fixed."""
    channels = config.scale_shape(level)[-1]
    if level == config.levels:
        if config.arrangement == "study":
            return {}
        shape = (config.classes, channels) if config.classes else (channels,)
        return {"prior/mean": shape, "prior/log_scale": shape}
    gain = {} if config.arrangement == "study" else {"prior/log_gain": (2 * channels,)}
    return {"prior/kernel": (3, 3, channels, 2 * channels), "prior/bias": (2 * channels,), **gain}


def initial(level: int, config: FlowConfig) -> dict[str, NDArray[np.float64]]:
    """Standard normal distributions, as actnorm is set to give them.

    TensorFlow Probability starts its splits at a scale of exp(-2) instead. A flow first learns to shrink by as much
    then, unevenly, and until it has learned more, its inverse blows up whatever was rounded.
    """
    found = {name: np.zeros(shape) for name, shape in shapes(level, config).items()}
    if config.arrangement == "study" and found:
        bias = found["prior/bias"]
        bias[: len(bias) // 2] = -_SHIFT
    return found


def split(weights: Mapping[str, Any], staying: Any, config: FlowConfig) -> Normal:
    """The distribution of the half that leaves.

    Args:
        weights: of the level's prior.
        staying: (b, h, w, c), the half that goes on.
        config: of the flow.
    """
    kernel, channels = weights["prior/kernel"], staying.shape[-1]
    h = ops.conv(ops.cast(staying, kernel.dtype), kernel, padding="same", data_format="channels_last")
    h = h + weights["prior/bias"]
    if config.arrangement == "study":
        h = ops.cast(h, staying.dtype)
        # Its latents are z exp(h_s + 2) + h_t, standard normal: z has the scale exp(-h_s - 2) around -h_t times that.
        log_scale = -(h[..., :channels] + _SHIFT)
        return Normal(-h[..., channels:] * ops.exp(log_scale), log_scale)
    h = ops.cast(h * ops.exp(_GAIN_RATE * weights["prior/log_gain"]), staying.dtype)
    return Normal(h[..., channels:], h[..., :channels])


def deepest(weights: Mapping[str, Any], latents: Any, labels: Any | None, config: FlowConfig) -> Normal:
    """The distribution of the latents of the deepest scale.

    Args:
        weights: of the level's prior.
        latents: (b, h, w, c), for their shape and type.
        labels: (b,) int32 classes; None for the mean and variance over all classes, equally frequent.
        config: of the flow.
    """
    if config.arrangement == "study":
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
    """Density log p(z | y) of the deepest latents (b, h, w, c) for each class, in nats: (b, classes)."""
    expanded = latents[:, None]
    mean, log_scale = (
        ops.cast(weights[name], expanded.dtype)[None, :, None, None, :] for name in ("prior/mean", "prior/log_scale")
    )
    return Normal(mean, log_scale + ops.zeros_like(expanded)).log_prob(expanded)


def within_classes(weights: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean over classes, and root mean square of the deviations within them: (c,) each."""
    return ops.mean(weights["prior/mean"], axis=0), ops.sqrt(ops.mean(ops.exp(2 * weights["prior/log_scale"]), axis=0))

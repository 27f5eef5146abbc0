"""Actnorm: a scale and a shift for each channel, set from data before training (Kingma & Dhariwal, 2018, 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

__all__ = ["initial", "log_det", "normalizing", "shapes"]

#: The least standard deviation that is scaled to 1. Without it, the scale of a channel that hardly varies in the first
#: batch would be huge, and so would the values of other images.
SMALLEST_DEVIATION = 1e-3


def shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the trained weights: y = (x + bias) exp(log_scale)."""
    return {"actnorm/bias": (channels,), "actnorm/log_scale": (channels,)}


def initial(channels: int) -> dict[str, NDArray[np.float64]]:
    """The identity."""
    return {name: np.zeros(shape) for name, shape in shapes(channels).items()}


def log_det(weights: Mapping[str, Any]) -> Any:
    """The log-determinant of one pixel, (...,)."""
    return ops.sum(weights["actnorm/log_scale"], axis=-1)


def normalizing(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The weights that give channels with this mean and standard deviation, (c,) each, mean 0 and deviation 1."""
    return {"actnorm/bias": -mean, "actnorm/log_scale": -np.log(np.maximum(deviation, SMALLEST_DEVIATION))}

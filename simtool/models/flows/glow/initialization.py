"""Data-dependent initialisation: actnorm gives each channel mean 0 and variance 1 on a first batch.

It runs explicitly, and on a large batch, before the first training step. Initialisation from whatever batch comes first
has ruined the training of many flows, the original study's among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.models.flows.glow import actnorm, step
from simtool.models.flows.glow.config import GlowConfig

__all__ = ["initialize_level"]


def initialize_level(
    stacked: Mapping[str, Any], constants: Mapping[str, Any], x: list[Any], config: GlowConfig
) -> tuple[dict[str, NDArray[np.float64]], list[Any]]:
    """Find the weights of the actnorms of a level, one step after the other.

    ``x`` are pieces of the batch, (b, h, w, c) each. One piece at a time is computed.

    Returns:
        The new weights by name, stacked, and the output of the last step for each piece.
    """
    found: dict[str, list[NDArray[np.float64]]] = {"actnorm/bias": [], "actnorm/log_scale": []}
    for k in range(config.steps):
        weights = {name: weight[k] for name, weight in stacked.items()}
        fixed = {name: constant[k] for name, constant in constants.items()}
        for name, value in actnorm.normalizing(*_moments(x)).items():
            weights[name] = ops.cast(value, weights[name].dtype)
            found[name].append(value)
        x = [step.forward(weights, fixed, piece, config)[0] for piece in x]
    return {name: np.stack(values) for name, values in found.items()}, x


def _moments(pieces: Sequence[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel over all pieces, (c,) each, in float64, without cancellation."""
    values = [ops.convert_to_numpy(piece).astype(np.float64) for piece in pieces]
    count = sum(value[..., 0].size for value in values)
    mean = sum(value.sum(axis=(0, 1, 2)) for value in values) / count
    if not np.isfinite(mean).all():
        raise ModelError("the images to initialise the flow with hold values that are not finite")
    variance = sum(np.square(value - mean).sum(axis=(0, 1, 2)) for value in values) / count
    return mean, np.sqrt(variance)

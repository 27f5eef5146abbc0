"""Data-dependent initialisation: actnorm is set so that each channel has mean 0 and variance 1 on a first batch.

Explicitly, and on a large batch, before the first step: an initialisation that happens by itself on whatever comes
first has been the undoing of many a flow, the original study's among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from simtool.models.errors import ModelError
from simtool.models.flows.glow import actnorm, coupling, step
from simtool.models.flows.glow.flow import Flow
from simtool.models.flows.glow.squeeze import squeeze

__all__ = ["initialize"]


def initialize(flow: Flow, pieces: Sequence[Any]) -> None:
    """Set every actnorm of a flow from images.

    Args:
        flow: whose variables change.
        pieces: (b, size, size, channels) dequantised images each; all together are the batch, one at a time is computed
            with.

    Raises:
        ModelError: images hold values that are not finite.
    """
    x = [ops.convert_to_tensor(piece, flow.variables["level-1/actnorm/bias"].dtype) for piece in pieces]
    for level in range(1, flow.config.levels + 1):
        x = _initialize_level(flow, level, [squeeze(piece) for piece in x])
        x = [coupling.halves(piece)[0] for piece in x]


def _initialize_level(flow: Flow, level: int, x: list[Any]) -> list[Any]:
    """Set the steps of a level one after the other; what comes out of the last."""
    start = f"level-{level}/"
    found: dict[str, list[NDArray[np.float64]]] = {"actnorm/bias": [], "actnorm/log_scale": []}
    stacked = {
        name.removeprefix(start): ops.convert_to_tensor(variable)
        for name, variable in (flow.variables | flow.constants).items()
        if name.startswith(start) and "/prior/" not in name
    }
    for k in range(flow.config.steps):
        weights = {name: weight[k] for name, weight in stacked.items()}
        for name, value in actnorm.normalizing(*_moments(x)).items():
            weights[name] = ops.cast(value, weights[name].dtype)
            found[name].append(value)
        x = [step.forward(weights, weights, piece, flow.config)[0] for piece in x]
    for name, values in found.items():
        flow.variables[start + name].assign(np.stack(values))
    return x


def _moments(pieces: Sequence[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel over all pieces, (c,) each, in float64 and without cancellation."""
    values = [ops.convert_to_numpy(piece).astype(np.float64) for piece in pieces]
    count = sum(value[..., 0].size for value in values)
    mean = sum(value.sum(axis=(0, 1, 2)) for value in values) / count
    if not np.isfinite(mean).all():
        raise ModelError("the images to initialise the flow with hold values that are not finite")
    variance = sum(np.square(value - mean).sum(axis=(0, 1, 2)) for value in values) / count
    return mean, np.sqrt(variance)

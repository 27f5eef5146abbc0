"""How much memory a training takes, before it is begun."""

from __future__ import annotations

import math
from typing import Any

from simtool.models.training.settings import Settings

__all__ = ["training_bytes"]

#: TensorFlow itself, its threads and the program around it.
_BASE = 700 << 20
#: Copies of each trained value: itself, its gradient, the optimizer's two moments; the best weights so far.
_COPIES = 5


def training_bytes(network: Any, settings: Settings, decoded: int) -> int:
    """An estimate of the peak, from what a backward pass must keep: the output of every layer.

    Args:
        network: a functional Keras model.
        settings: of the training.
        decoded: bytes of the decoded photographs.
    """
    values = sum(math.prod(weight.shape) for weight in network.weights)
    outputs = sum(math.prod(layer.output.shape[1:]) for layer in network.layers)
    width = 4 if settings.precision == "float32" else 2
    copies = _COPIES + (1 if settings.ema else 0)
    return int(_BASE + 4 * values * copies + width * outputs * settings.batch_size + decoded)

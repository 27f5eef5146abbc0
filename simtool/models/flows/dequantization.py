"""Dequantisation: bytes become real numbers whose density a flow can learn (Theis et al., 2016, section 3.1).

A color value of n bits, one of 2 ** n bins, becomes a number drawn uniformly from its bin. The mean log-density of such
numbers is a lower bound on the log-probability of the bins, which is comparable between models.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

__all__ = ["bits_per_dim", "dequantize"]

#: In units of a byte: what float32 loses between a byte and what the preprocessing made of it stays below.
_ROUNDING = 1e-3


def dequantize(x: Any, bits: int, noise: Any) -> Any:
    """Reduce images to ``bits`` per channel, and spread each value over its bin.

    Args:
        x: (b, h, w, c), bytes / 255 - 0.5, as the ``study`` recipe gives them.
        bits: 1 to 8.
        noise: in [0, 1), of the shape of ``x`` or broadcast to it; 0.5 for the middle of the bin.

    Returns:
        (b, h, w, c) in [-0.5, 0.5).
    """
    bins = 2**bits
    values = (x + 0.5) * 255.0 + _ROUNDING
    return (ops.floor(ops.clip(values, 0.0, 255.5) * (bins / 256)) + noise) / bins - 0.5


def bits_per_dim(log_prob: Any, dimension: int, bits: int) -> Any:
    """The code length of an image, from the log-density of its dequantised values.

    Args:
        log_prob: in nats, of values in an interval of length 1.
        dimension: D, the number of values.
        bits: of the dequantisation.

    Returns:
        -log2 p / D + bits, of the shape of ``log_prob``.
    """
    return -log_prob / (dimension * math.log(2)) + bits

"""Dequantization: bytes become real numbers, whose density a flow can learn (Theis et al., 2016, section 3.1).

A color value of n bits is one of 2 ** n bins. Dequantization replaces it by a number that is drawn uniformly from its
bin. The mean log-density of these numbers is a lower bound of the log-probability of the bins, which can be compared
between models.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

__all__ = ["bits_per_dim", "dequantize"]

#: In units of a byte: more than the rounding error of float32 in the preprocessing.
_ROUNDING = 1e-3


def dequantize(x: Any, bits: int, noise: Any) -> Any:
    """Reduce images to ``bits`` per color value, and add noise within the bins.

    Args:
        x: (b, h, w, c), bytes / 255 - 0.5, from the preprocessing ``study``.
        bits: 1 to 8.
        noise: in [0, 1), of a shape that broadcasts to ``x``; 0.5 for the middle of the bins.

    Returns:
        (b, h, w, c) in [-0.5, 0.5).
    """
    bins = 2**bits
    values = (x + 0.5) * 255.0 + _ROUNDING
    return (ops.floor(ops.clip(values, 0.0, 255.5) * (bins / 256)) + noise) / bins - 0.5


def bits_per_dim(log_prob: Any, dimension: int, bits: int) -> Any:
    """The code length of an image, from the log-density of its dequantized values.

    Args:
        log_prob: in nats, of values in an interval of length 1.
        dimension: D, the number of values.
        bits: of the dequantization.

    Returns:
        -log2 p / D + bits, of the shape of ``log_prob``.
    """
    return -log_prob / (dimension * math.log(2)) + bits

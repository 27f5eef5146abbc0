"""The search for the value at which a simulated accuracy has its target."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

__all__ = ["where"]

#: The relative precision of a value.
_PRECISION = 0.003


def where(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function of a positive number is 0; an end of the range if it is 0 nowhere in it.

    Args:
        rising: the function.
        low: the lower end of the range.
        high: the upper end.
    """
    if rising(low) >= 0:
        return low
    if rising(high) <= 0:
        return high
    found = brentq(lambda power: rising(math.exp(power)), math.log(low), math.log(high), xtol=_PRECISION)
    return math.exp(found)

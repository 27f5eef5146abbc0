"""The learning rate at each step."""

from __future__ import annotations

import math
from collections.abc import Callable

from simtool.training.settings import Settings

__all__ = ["cosine", "learning_rates", "restarts"]


def cosine(fraction: float, floor: float = 0.0) -> float:
    """Half a cosine: 1 at fraction 0, ``floor`` from fraction 1 on (Loshchilov & Hutter 2017, equation 5)."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(max(fraction, 0.0), 1.0)))


def restarts(position: float, period: float, growth: float) -> tuple[int, float]:
    """Where a position lies among periods that grow geometrically.

    Args:
        position: from 0, in the unit of ``period``.
        period: the length of the first.
        growth: each is this many times as long as the one before; at least 1.

    Returns:
        the period, counted from 0, and the fraction of it that has passed, in [0, 1).
    """
    passed = position / period
    if growth == 1.0:
        index = math.floor(passed)
        return index, passed - index
    # Before period i lie 1 + growth + … + growth^(i - 1) = (growth^i - 1) / (growth - 1) first periods.
    index = math.floor(math.log1p(passed * (growth - 1)) / math.log(growth) + 1e-9)
    start = (growth**index - 1) / (growth - 1)
    return index, max(passed - start, 0.0) / growth**index


def learning_rates(settings: Settings, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step, counted from 0.

    It grows linearly over ``warmup_steps``, the first step taking one share of it; then comes the schedule, whose
    ``cosine`` ends with the last epoch and whose ``cosine-restarts`` start anew after each period.

    Args:
        settings: which schedule, and its numbers.
        steps_per_epoch: optimizer steps.
    """
    highest, warmup = settings.learning_rate, settings.warmup_steps
    duration = max(settings.epochs * steps_per_epoch - warmup, 1)
    period = settings.first_period * steps_per_epoch

    def after_warmup(step: int) -> float:
        if settings.schedule == "cosine":
            return cosine(step / duration, settings.final_fraction)
        if settings.schedule == "cosine-restarts":
            index, fraction = restarts(step, period, settings.period_growth)
            height = settings.restart_factor**index
            return settings.final_fraction + (1 - settings.final_fraction) * height * cosine(fraction)
        return 1.0

    def rate(step: int) -> float:
        return highest * ((step + 1) / warmup if step < warmup else after_warmup(step - warmup))

    return rate

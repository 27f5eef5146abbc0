"""Taps: what is taken from the couplings of a flow while images pass through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

__all__ = ["Coupling", "Take", "Tap", "pieces"]


class Coupling(NamedTuple):
    """A coupling, as images pass it. All values are of the type of the latents.

    Attributes:
        hidden: (b, h, w, c) activations of the last hidden layer of its network.
        log_det: (b, h, w) its log-determinant at each place of its level.
    """

    hidden: Any
    log_det: Any


#: Computes what is taken from a coupling: a tensor (b, ...) of the type of the latents.
Take = Callable[[Coupling], Any]


@dataclass(frozen=True)
class Tap:
    """A tensor that is taken from some couplings of a level.

    Attributes:
        level: from 1, the finest.
        steps: the couplings of the level, from 1, one after the other.
        take: computes what is taken. Nothing else of a coupling is kept.
    """

    level: int
    steps: range
    take: Take


def pieces(count: int, taps: Sequence[Tap]) -> list[tuple[range, list[int]]]:
    """Divide the steps of a level so that each tap takes all steps of a piece, or none.

    Args:
        count: the number of steps.
        taps: of this level.

    Returns:
        For each piece its steps, from 1, and the numbers of the taps that take them.
    """
    bounds = {1, count + 1}.union(*({tap.steps.start, tap.steps.stop} for tap in taps))
    return [
        (range(first, stop), [number for number, tap in enumerate(taps) if first in tap.steps])
        for first, stop in pairwise(sorted(bounds))
    ]

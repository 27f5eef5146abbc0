"""Fitting a linear map to comparisons: penalised logistic loss, minimised by L-BFGS of SciPy.

The penalty is that of a normal prior around the identity: it is added to the sum of the losses of all comparisons, so
that a penalty means the same for few and for many comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from simtool.transforms.reweighting.families import Family
from simtool.transforms.reweighting.loss import PairwiseLoss

__all__ = ["Objective", "Weighting", "fits"]

Array = NDArray[np.float64]

#: The search ends when a step lowers the loss by less than this part of it, or after so many steps.
_TOLERANCE, _STEPS = 1e-8, 500


@dataclass(frozen=True)
class Weighting:
    """A fitted map, or two of them: the anchor has its own.

    Attributes:
        family: of the maps.
        log_scale: the logarithm of the scale of the similarity.
        sides: the (P,) parameters of each map: of the images that are compared, then of the anchor if it has its own.
    """

    family: Family
    log_scale: float
    sides: tuple[Array, ...]

    @classmethod
    def identity(cls, family: Family, sides: int) -> Weighting:
        """The map before it learns."""
        return cls(family, 0.0, (family.start,) * sides)

    def apply(self, vectors: Array) -> tuple[Array, Array]:
        """The vectors of n images as anchors and as compared images, (n, K) each; one array if they are the same."""
        mapped = [self.family.apply(side, vectors) for side in self.sides]
        return mapped[-1], mapped[0]

    @property
    def flat(self) -> Array:
        """All parameters in one array: the logarithm of the scale, then those of each map."""
        return np.concatenate([[self.log_scale], *self.sides])

    def moved(self, flat: Array) -> Weighting:
        """The same family and number of maps with other parameters."""
        return Weighting(self.family, float(flat[0]), tuple(np.split(flat[1:], len(self.sides))))


class Objective:
    """The mean loss of C comparisons, and ``penalty / (2 C)`` times the squared differences from the identity.

    Args:
        loss: of comparisons of n images.
        vectors: (n, D).
        start: the identity of a family.
        penalty: how strongly the maps shrink to the identity. The scale of the similarity is free.
    """

    def __init__(self, loss: PairwiseLoss, vectors: Array, start: Weighting, penalty: float) -> None:
        self._loss, self._vectors, self._start = loss, vectors, start
        self._penalty = penalty / loss.count
        self._target = start.flat[1:]

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """The value, and its derivatives by all parameters."""
        weighting = self._start.moved(flat)
        value, slopes = self._loss(*weighting.apply(self._vectors), weighting.log_scale)
        one_map = len(weighting.sides) == 1
        parts = [slopes.anchor + slopes.other] if one_map else [slopes.other, slopes.anchor]
        away = flat[1:] - self._target
        slope = np.concatenate([weighting.family.gradient(self._vectors, part) for part in parts])
        gradient = np.concatenate([[slopes.log_scale], slope + self._penalty * away])
        return value + self._penalty / 2 * float(away @ away), gradient


def fits(
    loss: PairwiseLoss,
    vectors: Array,
    start: Weighting,
    penalties: Iterable[float],
    step: Callable[[], object] = lambda: None,
) -> Iterator[Weighting]:
    """Fit with one penalty after the other, each from the fit before.

    Args:
        loss: of comparisons of n images.
        vectors: (n, D).
        start: the identity.
        penalties: from the strongest to the weakest.
        step: called after each step of a search; an error that it raises ends the search.
    """
    current = start
    for penalty in penalties:
        found = scipy.optimize.minimize(
            Objective(loss, vectors, start, penalty),
            current.flat,
            jac=True,
            method="L-BFGS-B",
            callback=lambda _: step(),
            options={"maxiter": _STEPS, "ftol": _TOLERANCE, "maxcor": 20},
        )
        current = start.moved(found.x)
        yield current

"""The parameters of a psychological embedding, and their place in the vector that an optimiser changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simtool.choice.rule import Floats

__all__ = ["Parameters"]

#: Limits of the logarithms of a scale, and of the floor. A floor of e^-12 has no effect.
_SCALE, _FLOOR = (-3.0, 3.0), (-12.0, 0.0)
_FIRST_FLOOR = -6.0


@dataclass(frozen=True)
class Parameters:
    """Points, and the function that makes similarities of their distances; or the derivatives with respect to them.

    Attributes:
        points: (n, D) coordinates of images.
        kernel: (types + 1,) the logarithms of the scale of each type of trials, and last that of the floor.
        log_weights: (groups, D) the logarithms of each group's weights of the dimensions.
    """

    points: Floats
    kernel: Floats
    log_weights: Floats

    @classmethod
    def random(cls, shown: NDArray[np.bool_], dimensions: int, types: int, groups: int, seed: int) -> Self:
        """A start: points around the origin, at distances near 1; images that are not shown, (n,), at the origin."""
        points = np.random.default_rng(seed).normal(scale=dimensions**-0.5, size=(shown.size, dimensions))
        points[~shown] = 0
        return cls(points, np.append(np.zeros(types), _FIRST_FLOOR), np.zeros((groups, dimensions)))

    def zeros(self) -> Parameters:
        """Zeros of the same shapes."""
        return Parameters(*map(np.zeros_like, (self.points, self.kernel, self.log_weights)))

    @property
    def weights(self) -> Floats:
        """(groups, D)."""
        weights: Floats = np.exp(self.log_weights)
        return weights

    def with_kernel(self, kernel: Floats) -> Parameters:
        """The same points with other scales and another floor."""
        return replace(self, kernel=kernel)

    def flat(self) -> Floats:
        """All parameters as one vector."""
        return np.concatenate([self.points.ravel(), self.kernel, self.log_weights.ravel()])

    def unflat(self, vector: Floats) -> Parameters:
        """Parameters of the same shapes from a vector of :meth:`flat`."""
        points, kernel, weights = np.split(vector, np.cumsum([self.points.size, self.kernel.size]))
        return Parameters(points.reshape(self.points.shape), kernel, weights.reshape(self.log_weights.shape))

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """The limits of each entry of :meth:`flat`.

        The first scale is 1, because the points have that unit. A single group has equal weights, because the points
        can stretch.
        """
        weight = (0.0, 0.0) if len(self.log_weights) == 1 else (None, None)
        return [
            *[(None, None)] * self.points.size,
            (0.0, 0.0),
            *self.kernel_bounds()[1:],
            *[weight] * self.log_weights.size,
        ]

    def kernel_bounds(self) -> list[tuple[float, float]]:
        """The limits of each entry of ``kernel`` where the points are given."""
        return [*[_SCALE] * (self.kernel.size - 1), _FLOOR]

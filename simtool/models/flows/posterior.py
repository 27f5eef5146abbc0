"""The posterior of a latent, given noisy observations of it.

The original study took each standardised latent z ~ N(0, 1) for a quantity that is observed with noise of the same
variance v in all dimensions. The mean of its posterior is z / (1 + v): all vectors shrink alike, no distance changes
its rank.

Here the noise is measured. A photograph is observed n times, each time with other dequantisation noise and after a
small change that no person would take for another picture. In a dimension, let S be the variance between observations.
Observations have variance 1 under the prior, so that 1 - S of it is the photograph's own, and the mean of n
observations has the reliability (Spearman, 1910; Brown, 1910)

    r = (1 - S) / (1 - S + S / n).

The posterior mean of the photograph's own value is r times that mean. Dimensions that are all noise vanish from
distances, those without noise keep their weight.

S is estimated from n - 1 degrees of freedom, which are few. As is usual where there are many like it, it is moderated
(Smyth, 2004): averaged, in proportion to degrees of freedom, with the mean variance of its channel, which counts for
8 of them.

References:
    Smyth (2004). Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments. Statistical Applications in Genetics and Molecular Biology 3(1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["changed", "moderated", "moments", "reliability"]

Array = NDArray[np.float32]

#: Degrees of freedom that the mean variance of a channel counts for.
_PRIOR_FREEDOM = 8


def changed(images: Array, draw: int, shift: int, brightness: float) -> Array:
    """Images after a small change, which is the same for all of them and for every batch.

    Args:
        images: (b, h, w, c) from -0.5 to 0.5.
        draw: which of the changes, from 0.
        shift: at most so many pixels in each direction; the border is repeated.
        brightness: at most so much lighter or darker, the range of values being 1.
    """
    generator = np.random.default_rng([draw, 1])
    down, right = generator.integers(-shift, shift + 1, 2)
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    height, width = images.shape[1:3]
    moved = padded[:, shift - down : shift - down + height, shift - right : shift - right + width]
    found: Array = moved + np.float32(generator.uniform(-brightness, brightness))
    return found


def moments(observations: Iterable[Array]) -> tuple[Array, Array]:
    """Mean and unbiased variance of two observations or more, element by element, one at a time (Welford, 1962)."""
    mean: Any = 0.0
    squares: Any = 0.0
    for count, observation in enumerate(observations, 1):
        from_old = observation - mean
        mean = mean + from_old / np.float32(count)
        squares = squares + from_old * (observation - mean)
    return mean, squares / np.float32(count - 1)


def moderated(variance: Array, observations: int) -> Array:
    """Variances (b, h, w, c) averaged with the mean of their channel, in proportion to degrees of freedom.

    Args:
        variance: estimated from ``observations``.
        observations: n.
    """
    freedom = observations - 1
    channel = variance.mean(axis=(1, 2), keepdims=True)
    found: Array = (freedom * variance + _PRIOR_FREEDOM * channel) / np.float32(freedom + _PRIOR_FREEDOM)
    return found


def reliability(variance: Array, observations: int) -> Array:
    """The share of the variance of a mean of observations that is not noise.

    Args:
        variance: S, of the noise of one observation, the variance of an observation being 1.
        observations: n.
    """
    own = np.maximum(1 - variance, 0)
    found: Array = own / np.maximum(own + variance / np.float32(observations), np.finfo(np.float32).tiny)
    return found

"""The posterior of a latent, given noisy observations of it.

The original study assumed that each standardized latent z ~ N(0, 1) is observed with noise of the same variance v in
all dimensions. The mean of its posterior is z / (1 + v): all vectors shrink by the same factor, and the order of
distances does not change.

Here the noise is measured. An image is observed n times, each time with other dequantization noise and after a small
change that a person would not notice. In a dimension, let S be the variance between observations. Observations have
variance 1 under the prior, so 1 - S is the variance of the image itself, and the mean of n observations has the
reliability (Spearman, 1910; Brown, 1910)

    r = (1 - S) / (1 - S + S / n).

The posterior mean of the value of the image is r times the mean of its observations. Dimensions that are only noise
vanish from distances; dimensions without noise keep their weight.

S is estimated from n - 1 degrees of freedom, which are few. Therefore it is moderated, as usual where there are many
similar variances (Smyth, 2004): averaged with the mean variance of its channel, in proportion to degrees of freedom.
The mean variance counts for 8 degrees.

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

#: Degrees of freedom of the mean variance of a channel.
_PRIOR_FREEDOM = 8


def changed(images: Array, draw: int, shift: int, brightness: float) -> Array:
    """Images after a small change, the same for all images and every batch.

    Args:
        images: (b, h, w, c) from -0.5 to 0.5.
        draw: number of the change, from 0.
        shift: the largest shift in pixels, in each direction; pixels of the border are repeated.
        brightness: the largest change of brightness, as a share of the range of values.
    """
    generator = np.random.default_rng([draw, 1])
    down, right = generator.integers(-shift, shift + 1, 2)
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    height, width = images.shape[1:3]
    moved = padded[:, shift - down : shift - down + height, shift - right : shift - right + width]
    return moved + np.float32(generator.uniform(-brightness, brightness))


def moments(observations: Iterable[Array]) -> tuple[Array, Array]:
    """Mean and unbiased variance of two or more observations, element by element, in one pass (Welford, 1962)."""
    mean: Any = 0.0
    squares: Any = 0.0
    for count, observation in enumerate(observations, 1):
        from_old = observation - mean
        mean = mean + from_old / np.float32(count)
        squares = squares + from_old * (observation - mean)
    return mean, squares / np.float32(count - 1)


def moderated(variance: Array, observations: int) -> Array:
    """Average variances (b, h, w, c) with the mean of their channel, in proportion to degrees of freedom."""
    freedom = observations - 1
    channel = variance.mean(axis=(1, 2), keepdims=True)
    found: Array = (freedom * variance + _PRIOR_FREEDOM * channel) / np.float32(freedom + _PRIOR_FREEDOM)
    return found


def reliability(variance: Array, observations: int) -> Array:
    """The share of the variance of a mean of n observations that is not noise.

    ``variance`` is that of the noise, where an observation has variance 1.
    """
    own = np.maximum(1 - variance, 0)
    found: Array = own / np.maximum(own + variance / np.float32(observations), np.finfo(np.float32).tiny)
    return found

"""Images as latents, with the density of each scale under its prior."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from keras import ops

__all__ = ["Encoding", "Normal"]


class Normal(NamedTuple):
    """Independent normal distributions.

    Attributes:
        mean: of a shape that broadcasts with the latents.
        log_scale: logarithm of the standard deviation.
    """

    mean: Any
    log_scale: Any

    def standardize(self, latents: Any) -> Any:
        """Subtract the mean from latents and divide them by the standard deviation."""
        return (latents - self.mean) * ops.exp(-self.log_scale)

    def restore(self, standardized: Any) -> Any:
        """The inverse of :meth:`standardize`."""
        return standardized * ops.exp(self.log_scale) + self.mean

    def log_prob(self, latents: Any) -> Any:
        """Log-density of each image in nats, (b,)."""
        return -ops.sum(self._code_lengths(latents), axis=(-3, -2, -1))

    def log_prob_by_place(self, latents: Any) -> Any:
        """Log-density of the channels at each place in nats, (b, h, w)."""
        return -ops.sum(self._code_lengths(latents), axis=-1)

    def _code_lengths(self, latents: Any) -> Any:
        squares = ops.square(self.standardize(latents))
        return 0.5 * (squares + math.log(2 * math.pi)) + self.log_scale


class Encoding(NamedTuple):
    """Images as latents. Each tuple has one entry per scale, from the finest to the deepest.

    Attributes:
        latents: (b, h, w, c) each.
        priors: the distribution of each.
        log_priors: (b,) each, the log-density of the latents under their prior. For a flow with classes and images
            without labels, the deepest is the log-density under the mixture of all classes.
        log_det: (b,) log|det| of the Jacobian of the latents by the image.
    """

    latents: tuple[Any, ...]
    priors: tuple[Normal, ...]
    log_priors: tuple[Any, ...]
    log_det: Any

    @property
    def standardized(self) -> tuple[Any, ...]:
        """The latents, standardized by their priors."""
        return tuple(normal.standardize(z) for normal, z in zip(self.priors, self.latents, strict=True))

    @property
    def log_prob(self) -> Any:
        """The log-density of the images in nats, (b,)."""
        return self.log_det + sum(self.log_priors)

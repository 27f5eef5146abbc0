"""A few images seen through a trained flow: each pass through the flow is made when a layer first needs it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simtool.models.flows.posterior import changed
from simtool.tensorflow import load_tensorflow

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["Passes", "View"]

Array = NDArray[np.float32]


class Passes:
    """Compiled passes through a flow, with its precise weights, which do not change any more."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

        def encode(x: Any) -> tuple[tuple[Any, ...], Any]:
            encoding = flow.encode(x, weights=flow.precise_weights())
            return encoding.standardized, encoding.latents[-1]

        function = load_tensorflow().function
        self._encode = function(encode, autograph=False)
        self._activations = function(lambda x: flow.activations(x, flow.precise_weights()), autograph=False)

    def encode(self, x: Any) -> tuple[tuple[Array, ...], Array]:
        """The standardized latents of dequantized images, finest scale first, and the deepest latents as they are."""
        standardized, deepest = self._encode(x)
        return tuple(map(_array, standardized)), _array(deepest)

    def activations(self, x: Any) -> tuple[Array, ...]:
        """See :meth:`simtool.models.flows.flow.Flow.activations`."""
        return tuple(map(_array, self._activations(x)))


class View:
    """A few images, seen through a flow."""

    def __init__(self, passes: Passes, images: Array) -> None:
        self._passes, self._images = passes, images

    @property
    def flow(self) -> Flow:
        """The flow through which the images are seen."""
        return self._passes.flow

    @property
    def latents(self) -> tuple[Array, ...]:
        """The standardized latents, (b, h, w, c) per scale, the finest first."""
        return self._encoded[0]

    @property
    def deepest(self) -> Array:
        """The latents of the deepest scale as they are, (b, h, w, c)."""
        return self._encoded[1]

    @cached_property
    def activations(self) -> tuple[Array, ...]:
        """See :meth:`simtool.models.flows.flow.Flow.activations`."""
        return self._passes.activations(self.middle)

    def observation(self, draw: int, shift: int, brightness: float) -> tuple[Array, ...]:
        """The standardized latents of the images after a small change, with random dequantization noise.

        The draw decides the change (see :func:`simtool.models.flows.posterior.changed`) and the noise. They are the
        same for all images, so that they hardly add to distances.
        """
        images = changed(self._images, draw, shift, brightness)
        noise = np.random.default_rng([draw, 2]).random(images.shape[1:], np.float32)
        return self._passes.encode(self._dequantized(images, noise))[0]

    @cached_property
    def _encoded(self) -> tuple[tuple[Array, ...], Array]:
        return self._passes.encode(self.middle)

    @cached_property
    def middle(self) -> Any:
        """The images, dequantized with fixed noise. See :attr:`simtool.models.flows.config.FlowConfig.fixed_noise`."""
        return self._dequantized(self._images, self.flow.config.fixed_noise)

    def _dequantized(self, images: Array, noise: Any) -> Any:
        from simtool.models.flows.dequantization import dequantize

        return dequantize(load_tensorflow().constant(images), self.flow.config.bits, noise)


def _array(tensor: Any) -> Array:
    found: Array = tensor.numpy().astype(np.float32)
    return found

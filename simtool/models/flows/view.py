"""A few images seen through a trained flow: each pass through the flow is made when a layer first needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simtool.models.flows.activations import HiddenMaps, activations
from simtool.models.flows.posterior import changed
from simtool.models.flows.surprise import code_lengths
from simtool.models.pooling import Pool
from simtool.models.runtimes.tensorflow import with_xla
from simtool.tensorflow import load_tensorflow

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["Passes", "View"]

Array = NDArray[np.float32]


class Passes:
    """Compiled passes through a flow, with its precise weights, which do not change any more.

    Args:
        flow: the flow.
        xla: whether XLA compiles them.
    """

    def __init__(self, flow: Flow, xla: bool = False) -> None:
        self.flow, self._xla = flow, xla

        def encode(x: Any) -> tuple[tuple[Any, ...], Any]:
            encoding = flow.encode(x, weights=flow.precise_weights())
            return encoding.standardized, encoding.latents[-1]

        self._encode = self._compiled(encode)
        self._lengths = self._compiled(lambda x: code_lengths(flow, x, flow.precise_weights()))
        self._activations: dict[tuple[HiddenMaps, ...], Any] = {}

    def encode(self, x: Any) -> tuple[tuple[Array, ...], Array]:
        """The standardized latents of dequantized images, finest scale first, and the deepest latents as they are."""
        standardized, deepest = self._encode(x)
        return tuple(map(_array, standardized)), _array(deepest)

    def code_lengths(self, x: Any) -> Array:
        """See :func:`simtool.models.flows.surprise.code_lengths`."""
        return _array(self._lengths(x))

    def activations(self, x: Any, wanted: tuple[HiddenMaps, ...], lengths: Array | None) -> list[Array]:
        """The vectors of the couplings of each of ``wanted``, (b, steps, D).

        See :func:`simtool.models.flows.activations.activations`.
        """

        def compute(x: Any, lengths: Any | None) -> Any:
            return activations(self.flow, x, wanted, self.flow.precise_weights(), lengths)

        if wanted not in self._activations:
            self._activations[wanted] = self._compiled(compute)
        return [_array(found).swapaxes(0, 1) for found in self._activations[wanted](x, lengths)]

    def _compiled(self, function: Callable[..., Any]) -> Any:
        graph = load_tensorflow().function(function, autograph=False, jit_compile=self._xla or None)
        return with_xla(graph) if self._xla else graph


class View:
    """A few images, seen through a flow."""

    def __init__(self, passes: Passes, images: Array) -> None:
        self._passes, self._images = passes, images
        self._activations: dict[HiddenMaps, Array] = {}

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
    def code_lengths(self) -> Array:
        """See :func:`simtool.models.flows.surprise.code_lengths`."""
        return self._passes.code_lengths(self.middle)

    def activations(self, wanted: Sequence[HiddenMaps]) -> list[Array]:
        """The vectors of the couplings of each of ``wanted``, (b, steps, D). All that is new is found in one pass."""
        if new := tuple(dict.fromkeys(maps for maps in wanted if maps not in self._activations)):
            surprise = any(maps.pooling.pool is Pool.SURPRISE for maps in new)
            found = self._passes.activations(self.middle, new, self.code_lengths if surprise else None)
            self._activations.update(zip(new, found, strict=True))
        return [self._activations[maps] for maps in wanted]

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

"""What of a flow can be embedded: each layer is a way to make one vector of an image."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.models.errors import ModelError
from simtool.models.glow.config import FlowConfig
from simtool.models.glow.view import View
from simtool.tables.embeddings import Segment

__all__ = ["Latent", "Layer", "Scale", "find_layer", "layer_names"]

Array = NDArray[np.float32]


class Layer(ABC):
    """A way to make one vector of an image. Its fields are the options that it takes.

    Attributes:
        name: by which it is asked for.
    """

    name: ClassVar[str]

    @classmethod
    def names(cls, config: FlowConfig) -> tuple[str, ...]:
        """The names under which a flow offers it; none where a flow of this kind cannot."""
        del config
        return (cls.name,)

    @property
    def label(self) -> str:
        """What reports call it."""
        return self.name

    @abstractmethod
    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """The pieces of its vectors, in order."""

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """Of one vector before it is flattened."""
        return (sum(segment.length * segment.count for segment in self.segments(config)),)

    @abstractmethod
    def vectors(self, view: View) -> Array:
        """The vectors of the images in view, (b, D)."""


@dataclass(frozen=True)
class Latent(Layer):
    """The latents of all scales in units of their priors' deviations; each scale is a segment, the deepest first.

    The order is that of the vectors of TensorFlow Probability's Glow, which the original study compared.
    """

    name: ClassVar[str] = "latent"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each scale. See :meth:`Layer.segments`."""
        return tuple(_scale_segment(level, config) for level in range(config.levels, 0, -1))

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.latents[::-1])


@dataclass(frozen=True)
class Scale(Layer):
    """The same of one scale, from 1, the finest."""

    level: int
    name: ClassVar[str] = "scale"

    @classmethod
    def names(cls, config: FlowConfig) -> tuple[str, ...]:
        """``scale-1`` to ``scale-L``. See :meth:`Layer.names`."""
        return tuple(f"{cls.name}-{level}" for level in range(1, config.levels + 1))

    @property
    def label(self) -> str:
        """See :attr:`Layer.label`."""
        return f"{self.name}-{self.level}"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (_scale_segment(self.level, config),)

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """Height, width and channels. See :meth:`Layer.shape`."""
        return config.scale_shape(self.level)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.latents[self.level - 1 : self.level])


def layer_names(config: FlowConfig) -> tuple[str, ...]:
    """All that a flow offers, the default first."""
    return Latent.names(config) + Scale.names(config)


def find_layer(name: str | None, config: FlowConfig) -> Layer:
    """The layer of a name; None for the default.

    Raises:
        ModelError: the flow does not offer it.
    """
    names = layer_names(config)
    if name is None or name == Latent.name:
        return Latent()
    if name in Scale.names(config):
        return Scale(int(name.removeprefix("scale-")))
    raise ModelError(f"this Glow has no layer {name}; there are {listed(names, 99)}")


def _scale_segment(level: int, config: FlowConfig) -> Segment:
    return Segment(f"scale-{level}", math.prod(config.scale_shape(level)))


def _flat(arrays: Sequence[Array]) -> Array:
    """Arrays (b, ...) beside each other, (b, D)."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)

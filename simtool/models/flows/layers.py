"""What of a flow can be embedded: each layer is a way to make one vector of an image.

A layer is asked for by its name, and may be given options: ``posterior:draws=16,shift=0``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.models.errors import ModelError
from simtool.models.flows.glow.config import FlowConfig
from simtool.models.flows.posterior import moderated, moments, reliability
from simtool.models.flows.view import View
from simtool.tables.embeddings import Segment

__all__ = [
    "Activations",
    "ClassLatent",
    "ClassPosterior",
    "Latent",
    "Layer",
    "Pooled",
    "Posterior",
    "Scale",
    "find_layer",
    "layer_names",
]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layer(ABC):
    """A way to make one vector of an image.

    Attributes:
        name: by which it is asked for.
        options: its fields that may be given another number with it.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """The layers of this kind that a flow has, by name."""
        del config
        return {cls.name: cls()}

    @abstractmethod
    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """The pieces of its vectors, in order."""

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """Of one vector before it is flattened."""
        return (sum(segment.length * segment.count for segment in self.segments(config)),)

    @abstractmethod
    def vectors(self, view: View) -> Array:
        """The vectors of the images in view, (b, D)."""

    def with_options(self, text: str) -> Self:
        """The same with options.

        Args:
            text: ``name=value``, several of them with commas.

        Raises:
            ModelError: it has no such option, or no such value.
        """
        given: dict[str, float] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name not in self.options:
                raise ModelError(f"layer {self.name} has no option {name}; it has {listed(self.options, 9) or 'none'}")
            try:
                given[name] = int(value) if isinstance(getattr(self, name), int) else float(value)
            except ValueError:
                raise ModelError(f"layer {self.name}: {name} is a number, not {value or 'nothing'}") from None
        return replace(self, **given)


@dataclass(frozen=True)
class Latent(Layer):
    """The latents of all scales in units of their priors' deviations; each scale is a segment, the deepest first.

    The vectors of TensorFlow Probability's Glow, which the original study compared, hold the same numbers in another
    order: by pixel of the deepest scale first, and within each by scale. Distances of whole vectors are the same.
    """

    name: ClassVar[str] = "latent"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each scale. See :meth:`Layer.segments`."""
        return tuple(_scale(level, config) for level in range(config.levels, 0, -1))

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.latents[::-1])


@dataclass(frozen=True)
class Posterior(Latent):
    """What is known of these latents from noisy observations: the mean of their posterior.

    By default the noise is measured, and reliable dimensions weigh more
    (:mod:`simtool.models.flows.posterior`).

    Attributes:
        noise: the variance of noise as the original study assumed it, for all dimensions; None: measured.
        draws: n, observations of an image to measure it from.
        shift: of an observation, at most so many pixels in each direction.
        brightness: by at most so much lighter or darker, the range of values being 1.
    """

    noise: float | None = None
    draws: int = 8
    shift: int = 1
    brightness: float = 0.02
    name: ClassVar[str] = "posterior"
    options: ClassVar[tuple[str, ...]] = ("noise", "draws", "shift", "brightness")

    def __post_init__(self) -> None:
        if self.draws < 2 or self.shift < 0 or not 0 <= self.brightness <= 1 or not (self.noise or 0) >= 0:
            raise ModelError(
                "a posterior needs 2 draws or more, a noise and a shift of at least 0, and a brightness from 0 to 1"
            )

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        if self.noise is not None:
            return super().vectors(view) / np.float32(1 + self.noise)
        observed = (view.observation(draw, self.shift, self.brightness) for draw in range(self.draws))
        means, variances = zip(*(moments(scale) for scale in zip(*observed, strict=True)), strict=True)
        estimates = [
            mean * reliability(moderated(variance, self.draws), self.draws)
            for mean, variance in zip(means, variances, strict=True)
        ]
        return _flat(estimates[::-1])


@dataclass(frozen=True)
class Scale(Layer):
    """The standardised latents of one scale, from 1, the finest."""

    level: int = 1
    name: ClassVar[str] = "scale"

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """``scale-1`` to ``scale-L``. See :meth:`Layer.offered`."""
        return {f"{cls.name}-{level}": cls(level) for level in range(1, config.levels + 1)}

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (_scale(self.level, config),)

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """Height, width and channels. See :meth:`Layer.shape`."""
        return config.scale_shape(self.level)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.latents[self.level - 1 : self.level])


@dataclass(frozen=True)
class Pooled(Layer):
    """The mean, then the mean square, of each channel of the standardised latents, over all pixels of its scale.

    So what is where makes no difference. Each scale is a segment, the deepest first.
    """

    name: ClassVar[str] = "pooled"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each scale. See :meth:`Layer.segments`."""
        levels = range(config.levels, 0, -1)
        return tuple(Segment(f"scale-{level}", 2 * config.scale_shape(level)[-1]) for level in levels)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        pixels = (1, 2)
        return _flat([part for z in view.latents[::-1] for part in (z.mean(pixels), np.square(z).mean(pixels))])


@dataclass(frozen=True)
class Activations(Layer):
    """What the last coupling network of each level sees, averaged over pixels; the deepest level first."""

    name: ClassVar[str] = "activations"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each level. See :meth:`Layer.segments`."""
        return tuple(Segment(f"level-{level}", config.width) for level in range(config.levels, 0, -1))

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.activations[::-1])


@dataclass(frozen=True)
class OfClasses(Layer):
    """A layer that only a flow with a prior for each class has."""

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """See :meth:`Layer.offered`."""
        return super().offered(config) if config.classes else {}


@dataclass(frozen=True)
class ClassLatent(OfClasses):
    """The deepest latents, averaged over pixels, in units of their deviation within classes.

    Distances then are those of linear discriminant analysis (Fisher, 1936), with the scales that the flow has learned:
    what tells classes apart weighs more.
    """

    name: ClassVar[str] = "class-latent"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment(f"scale-{config.levels}", config.scale_shape(config.levels)[-1]),)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        mean, deviation = view.within_classes
        found: Array = (view.deepest.mean(axis=(1, 2)) - mean) / deviation
        return found


@dataclass(frozen=True)
class ClassPosterior(OfClasses):
    """The square roots of p(y | z), the probabilities of the classes y given the deepest latents z.

    Between square roots, the Euclidean distance is Hellinger's, but for a factor, and the cosine is the coefficient of
    Bhattacharyya.

    Attributes:
        temperature: divides log-densities; above 1 for probabilities that are less sure.
    """

    temperature: float = 1.0
    name: ClassVar[str] = "class-posterior"
    options: ClassVar[tuple[str, ...]] = ("temperature",)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ModelError(f"the temperature of a class-posterior is above 0, not {self.temperature:g}")

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment("classes", config.classes),)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        logs = view.class_log_probs.astype(np.float64) / self.temperature
        # The square root of a softmax: exp(l / 2) / sqrt(sum of exp l), with the largest l taken off first.
        logs -= logs.max(axis=1, keepdims=True)
        found: Array = (np.exp(logs / 2) / np.sqrt(np.exp(logs).sum(axis=1, keepdims=True))).astype(np.float32)
        return found


#: In the order in which a model lists them, the default first.
_KINDS: tuple[type[Layer], ...] = (Latent, Posterior, Scale, Pooled, Activations, ClassLatent, ClassPosterior)


def _offered(config: FlowConfig) -> dict[str, Layer]:
    return {name: layer for kind in _KINDS for name, layer in kind.offered(config).items()}


def layer_names(config: FlowConfig) -> tuple[str, ...]:
    """All that a flow offers, the default first."""
    return tuple(_offered(config))


def find_layer(text: str | None, config: FlowConfig) -> Layer:
    """The layer that is asked for.

    Args:
        text: its name, and after a colon its options; None for the default.
        config: of the flow.

    Raises:
        ModelError: the flow does not offer it.
    """
    layers = _offered(config)
    name, _, options = (text or next(iter(layers))).partition(":")
    if name not in layers:
        raise ModelError(f"this Glow has no layer {name}; there are {listed(layers, 99)}")
    return layers[name].with_options(options)


def _scale(level: int, config: FlowConfig) -> Segment:
    return Segment(f"scale-{level}", math.prod(config.scale_shape(level)))


def _flat(arrays: Sequence[Array]) -> Array:
    """Arrays (b, ...) beside each other, (b, D)."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)

"""The layers of a flow: each layer is a way to turn an image into a vector.

A layer is chosen by its name, with options after a colon: ``posterior:draws=16,shift=0``.
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
from simtool.models.flows.config import FlowConfig
from simtool.models.flows.posterior import moderated, moments, reliability
from simtool.models.flows.view import View
from simtool.tables.embeddings import Segment

__all__ = ["Layer", "find_layer", "layer_names"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layer(ABC):
    """A way to turn an image into a vector.

    Attributes:
        name: of the layer.
        options: the fields that can be set after a colon.
        of_classes: whether only flows with a prior for each class have it.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    of_classes: ClassVar[bool] = False

    @classmethod
    def offered(cls, config: FlowConfig) -> dict[str, Self]:
        """The layers of this kind for a flow of this shape, by name."""
        return {} if cls.of_classes and not config.classes else {cls.name: cls()}

    @abstractmethod
    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """The segments of a vector, in order."""

    def shape(self, config: FlowConfig) -> tuple[int, ...]:
        """The shape of one vector before it is flattened."""
        return (sum(segment.length * segment.count for segment in self.segments(config)),)

    @abstractmethod
    def vectors(self, view: View) -> Array:
        """The vectors of the images in view, (b, D)."""

    def with_options(self, text: str) -> Self:
        """Copy the layer with options ``name=value``, separated by commas.

        Raises:
            ModelError: there is no such option, or it has no such value.
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
    """The latents of all scales, standardized by their priors. Each scale is a segment, the deepest first.

    The original study compared the vectors of TensorFlow Probability's Glow. They hold the same numbers in another
    order: by pixel of the deepest scale, and by scale within a pixel. Distances between whole vectors are the same.
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
    """The mean of the posterior of these latents, given noisy observations (:mod:`simtool.models.flows.posterior`).

    By default the noise is measured, and reliable dimensions weigh more.

    Attributes:
        noise: one variance of the noise for all dimensions, as in the original study; None to measure the noise.
        draws: n, the number of observations of an image.
        shift: the largest shift of an observation in pixels, in each direction.
        brightness: the largest change of brightness, as a share of the range of values.
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
    """The standardized latents of one scale, from 1, the finest."""

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
    """The mean, then the mean square, of each channel of the standardized latents, over all pixels of its scale.

    Positions in the image make no difference. Each scale is a segment, the deepest first.
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
    """Hidden activations of a network of each level, averaged over pixels. The deepest level comes first."""

    name: ClassVar[str] = "activations"

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One for each level. See :meth:`Layer.segments`."""
        widths = list(enumerate(config.activation_widths, 1))
        return tuple(Segment(f"level-{level}", width) for level, width in reversed(widths))

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        return _flat(view.activations[::-1])


@dataclass(frozen=True)
class ClassLatent(Layer):
    """The deepest latents, averaged over pixels, in units of their standard deviation within classes.

    Distances are those of linear discriminant analysis (Fisher, 1936), with the scales that the flow has learned:
    dimensions that tell classes apart weigh more.
    """

    name: ClassVar[str] = "class-latent"
    of_classes: ClassVar[bool] = True

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment(f"scale-{config.levels}", config.scale_shape(config.levels)[-1]),)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        mean, deviation = (part.numpy() for part in view.flow.within_classes())
        found: Array = (view.deepest.mean(axis=(1, 2)) - mean) / deviation
        return found


@dataclass(frozen=True)
class ClassPosterior(Layer):
    """The square roots of p(y | z), the probabilities of the classes y given the deepest latents z.

    The Euclidean distance between square roots is proportional to Hellinger's distance, and the cosine is
    Bhattacharyya's coefficient.

    Attributes:
        temperature: divides log-densities; above 1, probabilities are less certain.
    """

    temperature: float = 1.0
    name: ClassVar[str] = "class-posterior"
    of_classes: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("temperature",)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ModelError(f"the temperature of a class-posterior is above 0, not {self.temperature:g}")

    def segments(self, config: FlowConfig) -> tuple[Segment, ...]:
        """One. See :meth:`Layer.segments`."""
        return (Segment("classes", config.classes),)

    def vectors(self, view: View) -> Array:
        """See :meth:`Layer.vectors`."""
        logs = view.flow.class_log_probs(view.deepest).numpy().astype(np.float64) / self.temperature
        # The square root of a softmax: exp(l / 2) / sqrt(sum of exp l), after the largest l is subtracted.
        logs -= logs.max(axis=1, keepdims=True)
        found: Array = (np.exp(logs / 2) / np.sqrt(np.exp(logs).sum(axis=1, keepdims=True))).astype(np.float32)
        return found


#: In the order of the list of layers, the default first.
_KINDS: tuple[type[Layer], ...] = (Latent, Posterior, Scale, Pooled, Activations, ClassLatent, ClassPosterior)


def _offered(config: FlowConfig) -> dict[str, Layer]:
    return {name: layer for kind in _KINDS for name, layer in kind.offered(config).items()}


def layer_names(config: FlowConfig) -> tuple[str, ...]:
    """The names of all layers, the default first."""
    return tuple(_offered(config))


def find_layer(text: str | None, config: FlowConfig) -> Layer:
    """Find a layer by its name, with options after a colon; None for the default.

    Raises:
        ModelError: there is no such layer.
    """
    layers = _offered(config)
    name, _, options = (text or next(iter(layers))).partition(":")
    if name not in layers:
        raise ModelError(f"this flow has no layer {name}; its layers are {listed(layers, 99)}")
    return layers[name].with_options(options)


def _scale(level: int, config: FlowConfig) -> Segment:
    return Segment(f"scale-{level}", math.prod(config.scale_shape(level)))


def _flat(arrays: Sequence[Array]) -> Array:
    """Flatten arrays (b, ...) and join them, (b, D)."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)
